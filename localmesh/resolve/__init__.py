"""Documents -> one Mesh, in our own words, with every policy attached where Istio 1.30 would attach it.

`resolve` is pure and never raises for what was written: what is wrong is in `problems` (references that lead nowhere,
fields that mean something in a cluster only) and `warnings`, and the mesh is as complete as it can be. So `up`, `check`
and `apply` refuse a mesh with problems, while a live cluster's documents can be looked at as istiod takes them.
"""

from localmesh.resolve.resolution import Resolution, resolve

__all__ = ["Resolution", "resolve"]
