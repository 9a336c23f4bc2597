"""Fits a compiled snapshot to this machine, where nothing redirects connections: what takes the place of iptables.

- Each port of the pod is a listener on the pod's own address, with the filter chains that `virtualInbound` has for it.
- Each name that the app dials is a listener of its own (see `dials`).
- What a policy edit changes is delivered so that Envoy swaps it in place: routes by RDS, RBAC and JWT in slots.
- Calls leave from the pod's own address, so that `source.ip` and plain logs tell who called.
- What no listener needs is left out.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from envoy.config.core.v3 import base_pb2
from envoy.config.listener.v3 import listener_components_pb2 as chains
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2
from envoy.extensions.filters.listener.http_inspector.v3 import http_inspector_pb2
from envoy.extensions.filters.listener.tls_inspector.v3 import tls_inspector_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm

from localmesh.errors import Where
from localmesh.mesh import Mesh
from localmesh.mesh.patches import Direction, Patch
from localmesh.mesh.placement import Dial, Placement
from localmesh.mesh.pods import ConnectionListener, Outbound, Pod, Proxy
from localmesh.mesh.routes import Target, VirtualHost, WeightedTarget
from localmesh.mesh.services import Resolution
from localmesh.mesh.upstreams import Simple, Upstream
from localmesh.xds import clusters, dials, endpoints, managers, names, outbound, slots
from localmesh.xds.compile import own
from localmesh.xds.inbound import PLAIN_HTTP
from localmesh.xds.parts import Parts
from localmesh.xds.patching import added_clusters, patch_cluster, patch_listener, patch_route_table
from localmesh.xds.reach import collectors
from localmesh.xds.references import references
from localmesh.xds.routes import clusters_of, origins_of, route_table
from localmesh.xds.snapshot import (
    CLUSTER,
    ENDPOINT,
    EXTENSION,
    LISTENER,
    ROUTE,
    Resource,
    Snapshot,
    resource,
)
from localmesh.xds.wire import ads, pack, socket_address


def capture(mesh: Mesh, pod: Pod, placement: Placement, parts: Parts | None = None) -> Snapshot:
    """What is compiled for the pod (`compile.own`), as its Envoy can run it here."""
    parts = parts or Parts()
    snapshot = own(mesh, pod, parts.own)
    alone, client = slots.listening(pod.without_peers), pod.as_client
    if pod.proxy is Proxy.NONE:
        return Snapshot.of({})
    listeners = snapshot.type(LISTENER)
    if pod.proxy is Proxy.GATEWAY:
        opened = parts.own.made("gateway", _gateway, listeners, mesh, alone, placement)
        kept = {LISTENER: opened, CLUSTER: [], ENDPOINT: [], ROUTE: _needed_routes(opened, snapshot)}
    else:
        taken = parts.own.made("inbound", _inbound, listeners, mesh, alone, placement)
        kept = _merge(taken, _dialed(mesh, pod, placement, parts))
    needs = {need for many in kept.values() for one in many for need in one.needs}
    policies = parts.alike(pod, "policies", slots.contents, mesh, pod.proxy, pod.access, pod.jwt)
    kept[EXTENSION] = [one for one in policies if (EXTENSION, one.name) in needs]
    needs |= {need for one in kept[EXTENSION] for need in one.needs}
    needed = {name for url, name in needs if url == CLUSTER} | {names.target_cluster(one) for one in collectors(pod)}
    for upstream in pod.outbound.upstreams:
        name = names.outbound_cluster(upstream.service.host, upstream.port.number, upstream.subset)
        if name in needed:
            for url, one in parts.own.made(name, _upstream, upstream, mesh, client, placement.address):
                kept[url].append(one)
    if names.BLACK_HOLE in needed:
        nowhere = (one for one in clusters.constant(pod) if one.name == names.BLACK_HOLE)
        kept[CLUSTER] += [resource(one.name, one) for one in nowhere]
    kept[CLUSTER] += [resource(one.name, one) for one in added_clusters(pod.patches, pod.directions)]
    return Snapshot.of(_as_patched(kept) if pod.patches else kept)


_Kept = dict[str, list[Resource]]
_LOOPBACK = "127."


def _as_patched(kept: _Kept) -> _Kept:
    """A patch may take a cluster away or name one that is not there: such calls get 503, as in a cluster."""
    there = {one.name for one in kept[CLUSTER]}
    return {
        url: [
            replace(one, needs=frozenset(key for key in one.needs if key[0] != CLUSTER or key[1] in there))
            for one in many
        ]
        for url, many in kept.items()
    }


def _merge(one: _Kept, other: _Kept) -> _Kept:
    return {url: [*one.get(url, []), *other.get(url, [])] for url in (LISTENER, ROUTE, CLUSTER, ENDPOINT)}


# --- the pod's own ports --------------------------------------------------------------------------------------------


def _inbound(listeners: Mapping[str, Resource], mesh: Mesh, pod: Pod, placement: Placement) -> _Kept:
    compiled = listeners[names.VIRTUAL_INBOUND]
    virtual = listener_pb2.Listener.FromString(compiled.body)
    places = slots.slots(mesh, pod)
    kept: _Kept = {LISTENER: [], ROUTE: [], CLUSTER: []}
    for port in pod.inbound:
        app = placement.apps.get(port.port) or port.app
        if port.passthrough or not app:
            continue
        own = [chain for chain in virtual.filter_chains if chain.filter_chain_match.destination_port.value == port.port]
        tables = dict(_take_routes(own, places))
        listener = _listener(names.listener(placement.address, port.port), placement.address, port.port, own)
        listener.access_log.extend(virtual.access_log)
        listener.traffic_direction = base_pb2.INBOUND
        kept[LISTENER].append(resource(listener.name, listener, references(listener), compiled.origins))
        kept[ROUTE] += [resource(name, table, references(table)) for name, table in tables.items()]
        hosts = [service.host for service, _ in port.services]
        cluster = patch_cluster(clusters.inbound(replace(port, app=app)), pod.patches, Direction.INBOUND, hosts)
        if cluster is None:
            continue
        # Nothing here has to let the sidecar's own calls pass.
        cluster.ClearField("upstream_bind_config")
        kept[CLUSTER].append(resource(cluster.name, cluster))
    return kept


def _take_routes(
    own: Iterable[chains.FilterChain], places: slots.Slots
) -> Iterator[tuple[str, route_pb2.RouteConfiguration]]:
    """Makes chains independent of redirection, and takes their routes out, to be delivered by RDS."""
    for chain in own:
        chain.filter_chain_match.ClearField("destination_port")
        for one in chain.filters:
            manager = _manager(one)
            if manager is None:
                continue
            if manager.HasField("route_config"):
                table = route_pb2.RouteConfiguration()
                table.CopyFrom(manager.route_config)
                yield table.name, table
                manager.rds.CopyFrom(hcm.Rds(config_source=ads(), route_config_name=table.name))
            _put_into_slots(one, manager, places)


def _manager(one: chains.Filter) -> hcm.HttpConnectionManager | None:
    if one.name != managers.HCM:
        return None
    manager = hcm.HttpConnectionManager()
    one.typed_config.Unpack(manager)
    return manager


def _put_into_slots(one: chains.Filter, manager: hcm.HttpConnectionManager, places: slots.Slots) -> None:
    filters = slots.in_slots(manager.http_filters, places)
    manager.ClearField("http_filters")
    manager.http_filters.extend(filters)
    one.typed_config.CopyFrom(pack(manager))


def _listener(name: str, address: str, port: int, own: list[chains.FilterChain]) -> listener_pb2.Listener:
    """A listener that asks only what its chains want to know."""
    asks = []
    if any(chain.filter_chain_match.transport_protocol for chain in own):
        asks.append(outbound.inspector("tls_inspector", tls_inspector_pb2.TlsInspector()))
    if any(set(chain.filter_chain_match.application_protocols) & set(PLAIN_HTTP) for chain in own):
        asks.append(outbound.inspector("http_inspector", http_inspector_pb2.HttpInspector()))
    return listener_pb2.Listener(
        name=name, address=socket_address(address, port), filter_chains=own, listener_filters=asks
    )


# --- what the app dials ---------------------------------------------------------------------------------------------


def _dialed(mesh: Mesh, pod: Pod, placement: Placement, parts: Parts) -> _Kept:
    kept: _Kept = {LISTENER: [], ROUTE: []}
    client = pod.as_client
    for dial in placement.dials:
        host = dials.virtual_host(pod.outbound, dial)
        connection = dials.connection(pod.outbound, dial)
        if host is not None:
            target = pod.outbound.by_target.get(Target(dial.host, dial.port))
            alone = target is not None and target.port.protocol.is_sniffed
            name = replace(dial, listen_address="", listen_port=0)
            kept[ROUTE].append(parts.alike(pod, ("routes", name), _dial_routes, host, name, pod.patches, alone))
            places = origins_of([host])
            kept[LISTENER].append(parts.own.made(("requests", dial), _requests_listener, mesh, client, dial, places))
        elif connection is not None:
            known = {each.target: pod.outbound.by_target.get(each.target) for each in _targets(connection)}
            calling = replace(client, outbound=Outbound(tuple(each for each in known.values() if each)))
            kept[LISTENER].append(
                parts.own.made(("connections", dial), _connections_listener, calling, connection, dial)
            )
    return kept


def _targets(connection: ConnectionListener) -> Iterator[WeightedTarget]:
    return (each for route in connection.routes for each in route.targets)


def _requests_listener(mesh: Mesh, pod: Pod, dial: Dial, places: list[Where]) -> Resource:
    name, table = names.listener(outbound.ANY, dial.port), names.dial_routes(dial.host, dial.port)
    own = [chains.FilterChain(filters=[outbound.manager(mesh, pod, name, table)])]
    return _dial_listener(dial, _patched(own, pod, outbound.ANY, dial.port), places)


def _connections_listener(pod: Pod, connection: ConnectionListener, dial: Dial) -> Resource:
    places = [route.where for route in connection.routes if route.where]
    own = outbound.connection_chains(pod, connection).known
    address = next(iter(connection.addresses), outbound.ANY)
    return _dial_listener(dial, _patched(own, pod, address, dial.port), places)


def _patched(own: list[chains.FilterChain], pod: Pod, address: str, port: int) -> list[chains.FilterChain]:
    """The chains with their patches, which know them by the listener that they are in in a cluster."""
    known_as = listener_pb2.Listener(
        name=names.listener(address, port), address=socket_address(address, port), filter_chains=own
    )
    patch_listener(known_as, pod.patches, Direction.OUTBOUND)
    return list(known_as.filter_chains)


def _dial_routes(host: VirtualHost, dial: Dial, patches: tuple[Patch, ...], alone: bool) -> Resource:
    """`alone`: its protocol is unknown, so that in a cluster its listener and its table serve no other host."""
    table = dials.route_table(host, dial)
    made, needs, places = route_table(table), clusters_of(table.virtual_hosts), origins_of(table.virtual_hosts)
    if patches:
        # Patches know it by its name in a cluster.
        made.name = f"{dial.host}:{dial.port}" if alone else str(dial.port)
        patch_route_table(made, patches, Direction.OUTBOUND)
        made.name = table.name
        needs = references(made)
        places = [*places, *(one.where for one in patches if one.where)]
    return resource(table.name, made, needs, places)


def _dial_listener(dial: Dial, own: list[chains.FilterChain], places: list[Where]) -> Resource:
    name = names.dial_listener(dial.host, dial.port)
    listener = _listener(name, dial.listen_address, dial.listen_port, own)
    listener.traffic_direction = base_pb2.OUTBOUND
    return resource(name, listener, references(listener), places)


def _upstream(upstream: Upstream, mesh: Mesh, pod: Pod, address: str) -> list[tuple[str, Resource]]:
    """The cluster of an upstream, with its endpoints told: there is no dialed address to follow.

    By type; empty if a patch takes the cluster away.
    """
    told = upstream
    if clusters.follows_caller(upstream, pod):
        balancer = Simple.LEAST_REQUEST if upstream.balancer is Simple.PASSTHROUGH else upstream.balancer
        service = replace(upstream.service, resolution=Resolution.ENDPOINTS)
        told = replace(upstream, service=service, balancer=balancer)
    side = Direction.GATEWAY if pod.proxy is Proxy.GATEWAY else Direction.OUTBOUND
    cluster = patch_cluster(clusters.outbound(told, mesh, pod), pod.patches, side, [upstream.service.host])
    if cluster is None:
        return []
    if _is_near(told):
        cluster.upstream_bind_config.CopyFrom(clusters.bind(address))
    if not clusters.is_told_endpoints(told, pod):
        return [(CLUSTER, resource(cluster.name, cluster, [], [upstream.where]))]
    return [
        (CLUSTER, resource(cluster.name, cluster, [(ENDPOINT, cluster.name)], [upstream.where])),
        (ENDPOINT, resource(cluster.name, endpoints.load_assignment(told, pod))),
    ]


def _is_near(upstream: Upstream) -> bool:
    """Whether a pod's address can call it: no Unix socket, and nothing beyond this machine."""
    return all(each.address.startswith(_LOOPBACK) for each in upstream.endpoints)


# --- a gateway's ports ----------------------------------------------------------------------------------------------


def _gateway(listeners: Mapping[str, Resource], mesh: Mesh, pod: Pod, placement: Placement) -> list[Resource]:
    made, places = [], slots.slots(mesh, pod)
    for compiled in listeners.values():
        listener = listener_pb2.Listener.FromString(compiled.body)
        for chain in listener.filter_chains:
            for one in chain.filters:
                manager = _manager(one)
                if manager is not None:
                    _put_into_slots(one, manager, places)
        port = listener.address.socket_address.port_value
        listener.address.CopyFrom(socket_address(placement.address, port))
        if port in placement.exposed:
            further = socket_address(*placement.exposed[port])
            listener.additional_addresses.append(listener_pb2.AdditionalAddress(address=further))
        made.append(resource(listener.name, listener, references(listener), compiled.origins))
    return made


def _needed_routes(opened: Iterable[Resource], snapshot: Snapshot) -> list[Resource]:
    wanted = {name for one in opened for url, name in one.needs if url == ROUTE}
    return [one for one in snapshot.type(ROUTE).values() if one.name in wanted]
