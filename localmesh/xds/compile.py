"""(Mesh, pod) -> Snapshot, in the shape that istiod gives to a pod with iptables capture."""

from collections.abc import Iterator

from localmesh.errors import Where
from localmesh.mesh import Mesh
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
from localmesh.xds.references import references
from localmesh.xds.routes import clusters_of, origins_of, route_table
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


def own(mesh: Mesh, pod: Pod) -> Snapshot:
    """The part of it that `capture` reads: what the pod takes calls with. Its cost does not grow with the mesh."""
    if pod.proxy is Proxy.GATEWAY:
        return Snapshot.of({LISTENER: list(_listeners(mesh, pod)), ROUTE: list(_routes(pod))})
    if pod.proxy is Proxy.NONE:
        return Snapshot.of({})
    listener = inbound.listener(mesh, pod)
    return Snapshot.of({LISTENER: [resource(listener.name, listener, (), _policies(pod))]})


def _listeners(mesh: Mesh, pod: Pod) -> Iterator[Resource]:
    if pod.proxy is Proxy.GATEWAY:
        for listener, servers in gateways.listeners(mesh, pod):
            places = [server.where for server in servers]
            yield resource(listener.name, listener, references(listener), [*places, *_policies(pod)])
        return
    into = inbound.listener(mesh, pod)
    yield resource(into.name, into, references(into), _policies(pod))
    rest = outbound.virtual(pod)
    yield resource(rest.name, rest, references(rest))
    for table in pod.outbound.route_tables:
        if not table.name.isdigit():
            continue  # of a port of unknown protocol, whose listener is below
        listener = outbound.http(mesh, pod, table)
        yield resource(listener.name, listener, references(listener))
    for connection in pod.outbound.connections:
        places = [route.where for route in connection.routes]
        for listener in outbound.connections(mesh, pod, connection):
            yield resource(listener.name, listener, references(listener), places)


def _policies(pod: Pod) -> list[Where | None]:
    return [*(one.where for one in pod.access), *(one.where for one in pod.jwt)]


def _routes(pod: Pod) -> Iterator[Resource]:
    for table in pod.outbound.route_tables:
        whole = table if pod.proxy is Proxy.GATEWAY else _with_strangers(table, pod.outbound.allow_any)
        needs = clusters_of(whole.virtual_hosts)
        yield resource(table.name, route_table(whole), needs, origins_of(whole.virtual_hosts))


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
    for cluster in clusters.constant(pod):
        yield resource(cluster.name, cluster)
    if pod.proxy is Proxy.SIDECAR:
        for port in pod.inbound:
            if not port.passthrough:
                cluster = clusters.inbound(port)
                yield resource(cluster.name, cluster)
    for upstream in pod.outbound.upstreams:
        cluster = clusters.outbound(upstream, mesh, pod)
        needs = {(ENDPOINT, cluster.name)} if cluster.HasField("eds_cluster_config") else set()
        yield resource(cluster.name, cluster, needs, [upstream.where])


def _endpoints(pod: Pod) -> Iterator[Resource]:
    for upstream in pod.outbound.upstreams:
        if clusters.is_told_endpoints(upstream, pod):
            assignment = endpoints.load_assignment(upstream, pod)
            yield resource(assignment.cluster_name, assignment)
