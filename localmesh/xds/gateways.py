"""What a gateway takes calls with: a listener for each port, a filter chain for each of its servers."""

from collections.abc import Iterator
from itertools import groupby

from envoy.config.core.v3 import base_pb2
from envoy.config.listener.v3 import listener_components_pb2 as chains
from envoy.config.listener.v3 import listener_pb2
from envoy.extensions.filters.listener.tls_inspector.v3 import tls_inspector_pb2

from localmesh.mesh import Mesh
from localmesh.mesh.pods import GatewayServer, Pod
from localmesh.xds import managers, names, tls
from localmesh.xds.filters import Policy, policies
from localmesh.xds.outbound import ANY, CONNECT_SECONDS, inspector
from localmesh.xds.telemetry import listener_access_logs
from localmesh.xds.wire import cidr, duration, socket_address, uint32


def listeners(mesh: Mesh, pod: Pod) -> Iterator[tuple[listener_pb2.Listener, list[GatewayServer]]]:
    """One listener for each address and port, with the servers behind it."""
    found = policies(mesh, pod)
    ordered = sorted(pod.servers, key=_place)
    for (bind, port), group in groupby(ordered, key=_place):
        servers = list(group)
        filter_chains = [chain for server in _apart(servers) for chain in _chains(mesh, pod, server, found)]
        if not filter_chains:
            continue
        config = tls_inspector_pb2.TlsInspector(initial_read_buffer_size=uint32(512))
        sniffs = [inspector("tls_inspector", config)] if any(server.tls for server in servers) else []
        listener = listener_pb2.Listener(
            name=names.listener(bind, port),
            address=socket_address(bind, port),
            access_log=listener_access_logs(pod.client_telemetry),
            filter_chains=filter_chains,
            listener_filters=sniffs,
            traffic_direction=base_pb2.OUTBOUND,
            max_connections_to_accept_per_socket_event=uint32(1),
        )
        yield listener, servers


def _apart(servers: list[GatewayServer]) -> Iterator[GatewayServer]:
    """The servers that need chains of their own: plaintext HTTP servers of one port share one table and one chain."""
    seen = set()
    for server in servers:
        shared = server.route_table if server.tls is None else ""
        if shared not in seen:
            yield server
        if shared:
            seen.add(shared)


def _place(server: GatewayServer) -> tuple[str, int]:
    return (server.bind or ANY, server.port)


def _chains(mesh: Mesh, pod: Pod, server: GatewayServer, found: tuple[Policy, ...]) -> Iterator[chains.FilterChain]:
    """The chains of one server: of one that is routed by request a single one, else one for each route."""
    socket = tls.gateway_tls(server.tls) if server.tls else None
    if server.route_table:
        name = names.listener(server.bind or ANY, server.port)
        manager = managers.http(
            mesh,
            pod,
            managers.gateway_side(mesh, pod),
            f"outbound_{name}",
            found,
            protocol=server.protocol,
            route_table=server.route_table,
        )
        yield _chain([manager], _server_names(server), socket)
        return
    before = managers.connection_policies(mesh, pod)
    for route in server.connections:
        prefix = server.name or (route.targets[0].target.host if route.targets else "")
        proxy = managers.tcp(pod, route.targets, prefix)
        subnets = [cidr(block) for block in route.destination_subnets]
        match = _match(route.sni or _server_names(server))
        if subnets:
            match = match or chains.FilterChainMatch()
            match.prefix_ranges.extend(subnets)
        yield chains.FilterChain(
            filter_chain_match=match,
            filters=[*before, proxy],
            transport_socket=socket,
            transport_socket_connect_timeout=duration(CONNECT_SECONDS),
        )


def _chain(
    filters: list[chains.Filter], server_names: tuple[str, ...], socket: base_pb2.TransportSocket | None
) -> chains.FilterChain:
    return chains.FilterChain(
        filter_chain_match=_match(server_names),
        filters=filters,
        transport_socket=socket,
        transport_socket_connect_timeout=duration(CONNECT_SECONDS),
    )


def _match(server_names: tuple[str, ...]) -> chains.FilterChainMatch | None:
    return chains.FilterChainMatch(server_names=server_names) if server_names else None


def _server_names(server: GatewayServer) -> tuple[str, ...]:
    """The server names of a TLS server's hosts; `*` is all, and plaintext has none."""
    if server.tls is None:
        return ()
    hosts = [host.rpartition("/")[2] for host in server.hosts]
    return () if "*" in hosts else tuple(hosts)
