"""Patches applied to what was compiled, as istiod applies EnvoyFilters (pilot/pkg/networking/core/envoyfilter)."""

from localmesh.xds.patching.clusters import added_clusters, patch_cluster
from localmesh.xds.patching.listeners import patch_listener
from localmesh.xds.patching.routes import patch_route_table
from localmesh.xds.patching.values import problems

__all__ = ["added_clusters", "patch_cluster", "patch_listener", "patch_route_table", "problems"]
