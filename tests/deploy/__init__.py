"""The bundle: what it holds for a cluster, and how it gets there."""
