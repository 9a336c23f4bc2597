"""The tests: they mirror the code, and in tests/mesh they look at the whole from outside."""
