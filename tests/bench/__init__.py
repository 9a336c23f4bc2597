"""The frame of the benches: what it says must be so. Nothing here measures."""
