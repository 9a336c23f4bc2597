"""The control API of a running mesh: gRPC on a Unix socket that only its owner may open."""
