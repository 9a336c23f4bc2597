"""The contract: protobuf files, and (generated beside them by `make protos`) their Python stubs."""
