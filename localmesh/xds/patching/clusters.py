"""Patches of clusters (envoyfilter/cluster_patch.go)."""

from collections.abc import Iterable, Sequence

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import base_pb2

from localmesh.mesh.patches import Change, Direction, InClusters, Part, Patch
from localmesh.xds.patching.values import is_merge, merge, merge_any, of, value


def patch_cluster(
    cluster: cluster_pb2.Cluster, patches: Sequence[Patch], direction: Direction, hosts: Iterable[str] = ()
) -> cluster_pb2.Cluster | None:
    """The cluster with its patches, or None: it is removed. `hosts`: of an inbound cluster, whose calls it takes."""
    for patch in of(patches, Part.CLUSTER, direction):
        if not _is_cluster(cluster.name, patch.clusters, tuple(hosts)):
            continue
        if patch.change is Change.REMOVE:
            return None
        if is_merge(patch):
            _merge(cluster, value(patch))
    return cluster


def added_clusters(patches: Sequence[Patch], directions: Iterable[Direction]) -> list[cluster_pb2.Cluster]:
    """The clusters that patches add. One that says not to which side is added once, to a sidecar's outbound side."""
    return [
        value(patch)
        for direction in directions
        for patch in of(patches, Part.CLUSTER, direction)
        if patch.change is Change.ADD and not (patch.direction is Direction.ANY and direction is Direction.INBOUND)
    ]


def _merge(cluster: cluster_pb2.Cluster, given: cluster_pb2.Cluster) -> None:
    """A transport socket is merged with the one of its name, and then nothing else is (istiod's own rule)."""
    if not given.HasField("transport_socket"):
        merge(cluster, given)
        return
    name = given.transport_socket.name
    matching: list[base_pb2.TransportSocket] = [
        one.transport_socket for one in cluster.transport_socket_matches if one.transport_socket.name == name
    ]
    if not cluster.transport_socket_matches and cluster.transport_socket.name == name:
        matching = [cluster.transport_socket]
    if matching:
        if matching[0].HasField("typed_config") and given.transport_socket.HasField("typed_config"):
            merge_any(matching[0].typed_config, given.transport_socket.typed_config)
    elif not cluster.transport_socket_matches:
        cluster.transport_socket.CopyFrom(given.transport_socket)


def _is_cluster(name: str, match: InClusters, hosts: tuple[str, ...]) -> bool:
    if match.name:
        return match.name == name
    parts = name.split("|")
    direction, port, subset, host = parts if len(parts) == 4 else ("", "0", "", "")
    known = hosts if direction == "inbound" and hosts else (host,)
    return (
        match.subset in {"", subset}
        and (not match.service or match.service in known)
        and match.port in {0, int(port) if port.isdigit() else 0}
    )
