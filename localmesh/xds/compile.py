"""(Mesh, pod) -> Snapshot, in the shape that istiod gives to a pod with iptables capture."""

from collections.abc import Iterator

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.listener.v3 import listener_pb2

from localmesh.errors import Where
from localmesh.memo import Memo
from localmesh.mesh import Mesh
from localmesh.mesh.patches import Direction
from localmesh.mesh.pods import Pod, Proxy
from localmesh.mesh.routes import (
    Forward,
    HttpRoute,
    RequestMatch,
    Respond,
    RouteTable,
    VirtualHost,
    WeightedTarget,
)
from localmesh.xds import clusters, endpoints, gateways, inbound, names, outbound
from localmesh.xds.patching import added_clusters, patch_cluster, patch_listener, patch_route_table
from localmesh.xds.references import references
from localmesh.xds.routes import clusters_of, origins_of, route_table
from localmesh.xds.slots import listening
from localmesh.xds.snapshot import CLUSTER, ENDPOINT, LISTENER, ROUTE, Resource, Snapshot, resource


def compile(mesh: Mesh, pod: Pod) -> Snapshot:
    """Everything that this pod's Envoy is to know, by istiod's names. A pod without a proxy gets nothing."""
    if pod.proxy is Proxy.NONE:
        return Snapshot.of({})
    return Snapshot.of(
        {
            LISTENER: list(_listeners(mesh, pod)),
            ROUTE: list(_routes(pod)),
            CLUSTER: list(_clusters(mesh, pod)),
            ENDPOINT: list(_endpoints(pod)),
        }
    )


def own(mesh: Mesh, pod: Pod, memo: Memo | None = None) -> Snapshot:
    """The part of it that `capture` reads: what the pod takes calls with. Its cost does not grow with the mesh."""
    kept = memo or Memo()
    if pod.proxy is Proxy.GATEWAY:
        return Snapshot.of(
            {LISTENER: kept.made("opened", _opened, mesh, listening(pod.without_tables)), ROUTE: list(_routes(pod))}
        )
    if pod.proxy is Proxy.NONE:
        return Snapshot.of({})
    return Snapshot.of({LISTENER: kept.made("taken", _taken, mesh, listening(pod.without_peers))})


def _opened(mesh: Mesh, pod: Pod) -> list[Resource]:
    return list(_listeners(mesh, pod))


def _taken(mesh: Mesh, pod: Pod) -> list[Resource]:
    listener = inbound.listener(mesh, pod)
    patch_listener(listener, pod.patches, Direction.INBOUND)
    return [resource(listener.name, listener, (), _policies(pod))]


def _listeners(mesh: Mesh, pod: Pod) -> Iterator[Resource]:
    direction = Direction.GATEWAY if pod.proxy is Proxy.GATEWAY else Direction.OUTBOUND
    if pod.proxy is Proxy.SIDECAR:
        into = inbound.listener(mesh, pod)
        patch_listener(into, pod.patches, Direction.INBOUND)
        yield resource(into.name, into, references(into), _policies(pod))
    for listener, places in _outward(mesh, pod):
        patch_listener(listener, pod.patches, direction)
        yield resource(listener.name, listener, references(listener), places)


def _outward(mesh: Mesh, pod: Pod) -> Iterator[tuple[listener_pb2.Listener, list[Where | None]]]:
    """The listeners of a gateway, or those of a sidecar's app; with their places."""
    if pod.proxy is Proxy.GATEWAY:
        for listener, servers in gateways.listeners(mesh, pod):
            yield listener, [*(server.where for server in servers), *_policies(pod)]
        return
    yield outbound.virtual(pod), []
    for table in pod.outbound.route_tables:
        if table.name.isdigit():  # else of a port of unknown protocol, whose listener is below
            yield outbound.http(mesh, pod, table), []
    for connection in pod.outbound.connections:
        places = [route.where for route in connection.routes]
        for listener in outbound.connections(mesh, pod, connection):
            yield listener, places


def _policies(pod: Pod) -> list[Where | None]:
    rules = [*(one.where for one in pod.access), *(one.where for one in pod.jwt)]
    return [*rules, *(one.where for one in pod.patches)]


def _routes(pod: Pod) -> Iterator[Resource]:
    at_gateway = pod.proxy is Proxy.GATEWAY
    direction = Direction.GATEWAY if at_gateway else Direction.OUTBOUND
    for table in pod.outbound.route_tables:
        whole = table if at_gateway else _with_strangers(table, pod.outbound.allow_any)
        made = route_table(whole)
        needs = clusters_of(whole.virtual_hosts)
        places: list[Where | None] = [*origins_of(whole.virtual_hosts)]
        if pod.patches:
            patch_route_table(made, pod.patches, direction, pod.server_ports)
            needs = references(made)
            places += [one.where for one in pod.patches]
        yield resource(table.name, made, needs, places)


def _with_strangers(table: RouteTable, allow_any: bool) -> RouteTable:
    """A sidecar's table ends with the names that nobody declares: let through, or refused with 502."""
    if any("*" in host.domains for host in table.virtual_hosts):
        return table
    name = "allow_any" if allow_any else "block_all"
    through = Forward((WeightedTarget(names.ELSEWHERE),))
    route = HttpRoute(name, through if allow_any else Respond(502), RequestMatch())
    stranger = VirtualHost(name, ("*",), (route,))
    return RouteTable(table.name, (*table.virtual_hosts, stranger))


def _clusters(mesh: Mesh, pod: Pod) -> Iterator[Resource]:
    for cluster, direction, hosts, where in _unpatched_clusters(mesh, pod):
        made = patch_cluster(cluster, pod.patches, direction, hosts)
        if made is not None:
            needs = {(ENDPOINT, made.name)} if made.HasField("eds_cluster_config") else set()
            yield resource(made.name, made, needs, [where])
    for added in added_clusters(pod.patches, pod.directions):
        yield resource(added.name, added, (), [one.where for one in pod.patches])


def _unpatched_clusters(
    mesh: Mesh, pod: Pod
) -> Iterator[tuple[cluster_pb2.Cluster, Direction, list[str], Where | None]]:
    """Each with the side that it is of, the hosts whose calls it takes, and its place."""
    outward = Direction.GATEWAY if pod.proxy is Proxy.GATEWAY else Direction.OUTBOUND
    for cluster in clusters.constant(pod):
        yield cluster, Direction.INBOUND if cluster.name == names.INBOUND_PASSTHROUGH else outward, [], None
    if pod.proxy is Proxy.SIDECAR:
        for port in pod.inbound:
            if not port.passthrough:
                hosts = [service.host for service, _ in port.services]
                yield clusters.inbound(port), Direction.INBOUND, hosts, None
    for upstream in pod.outbound.upstreams:
        yield clusters.outbound(upstream, mesh, pod), outward, [upstream.service.host], upstream.where


def _endpoints(pod: Pod) -> Iterator[Resource]:
    for upstream in pod.outbound.upstreams:
        if clusters.is_told_endpoints(upstream, pod):
            assignment = endpoints.load_assignment(upstream, pod)
            yield resource(assignment.cluster_name, assignment)
