"""The bundle: YAML that a cluster and localmesh take alike, and `kind`, which brings it to a kind cluster."""
