"""The clients against real grpc.aio servers; where a failure must be scripted, the peer is ours."""
