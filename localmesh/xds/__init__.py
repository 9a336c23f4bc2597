"""(Mesh, pod) -> Snapshot: what istiod 1.30 would send a pod's Envoy, by pure functions on the Envoy v3 protobufs.

`compile` gives the shape that istiod generates; `capture` fits it to a laptop, where no iptables redirect. Read
`snapshot` first, then `compile`, then the module of each resource. This package imports nothing by itself, so that
`localmesh.ads` can carry a snapshot without loading the compiler.
"""
