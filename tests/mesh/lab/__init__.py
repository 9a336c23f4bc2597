"""A small service of the tests' own, for what the bundle's services never do: fail, wait and tell on demand."""
