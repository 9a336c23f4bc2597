"""Istio policy on a laptop: the YAML of a cluster, compiled to Envoy as istiod does, on real processes of this machine.

Policy flows one way, and the folders are named by its stages. `manifests` loads YAML into strict, typed documents that
remember their lines. `resolve` makes one `mesh` of them: services, pods, and every policy attached where Istio would
attach it. `runtime` plans the pods as processes with addresses of their own. `xds` compiles the mesh and a pod into
that pod's snapshot. `ads` carries snapshots to the Envoys and says when each has acknowledged. `up` is the function
that runs these stages, at the start and whenever a file is saved; `control` lets `cli` speak to it.

Every stage is a value from a value; only `ads`, `runtime` and `up` do things. Wherever something is wrong, `errors`
says where, what, and what to try, and the running mesh stays as it was.
"""
