"""The services: plain gRPC that knows nothing of a mesh."""
