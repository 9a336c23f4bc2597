"""What a sidecar takes its app's calls with: a listener for each HTTP port, one for each TCP service, and the rest.

Ports that may carry HTTP share one listener on 0.0.0.0 and are told apart by authority; what turns out not to be HTTP
there goes where it was going. TCP services have listeners on their own addresses.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from envoy.config.core.v3 import base_pb2
from envoy.config.listener.v3 import listener_components_pb2 as chains
from envoy.config.listener.v3 import listener_pb2
from envoy.extensions.filters.listener.http_inspector.v3 import http_inspector_pb2
from envoy.extensions.filters.listener.tls_inspector.v3 import tls_inspector_pb2
from google.protobuf import duration_pb2
from google.protobuf.message import Message

from localmesh.mesh import Mesh
from localmesh.mesh.identity import Protocol
from localmesh.mesh.pods import ConnectionListener, Pod
from localmesh.mesh.routes import ConnectionRoute, RouteTable
from localmesh.xds import managers, names
from localmesh.xds.inbound import PLAIN_HTTP, RAW
from localmesh.xds.telemetry import listener_access_logs
from localmesh.xds.wire import boolean, cidr, duration, pack, socket_address, uint32

ANY = "0.0.0.0"  # noqa: S104 - in a pod's own network
CONNECT_SECONDS = 15.0


def virtual(pod: Pod) -> listener_pb2.Listener:
    """`virtualOutbound`: all that iptables redirects to port 15001, handed to the listener of its destination."""
    return listener_pb2.Listener(
        name=names.VIRTUAL_OUTBOUND,
        address=socket_address(ANY, names.VIRTUAL_OUTBOUND_PORT),
        access_log=listener_access_logs(pod.client_telemetry),
        filter_chains=[
            chains.FilterChain(
                name="virtualOutbound-blackhole",
                filter_chain_match=chains.FilterChainMatch(destination_port=uint32(names.VIRTUAL_OUTBOUND_PORT)),
                filters=[managers.tcp_to(names.BLACK_HOLE, None)],
            ),
            chains.FilterChain(name="virtualOutbound-catchall-tcp", filters=[_elsewhere(pod)]),
        ],
        use_original_dst=boolean(True),
        traffic_direction=base_pb2.OUTBOUND,
        max_connections_to_accept_per_socket_event=uint32(1),
    )


def http(mesh: Mesh, pod: Pod, table: RouteTable) -> listener_pb2.Listener:
    """The listener of one HTTP port."""
    port = int(table.name)
    name = names.listener(ANY, port)
    return _listener(
        name,
        ANY,
        port,
        [_http_chain(mesh, pod, name, table)],
        default_filter_chain=_passthrough_chain(pod),
        listener_filters=[inspector("http_inspector", http_inspector_pb2.HttpInspector())],
    )


def manager(mesh: Mesh, pod: Pod, name: str, table: str) -> chains.Filter:
    """The connection manager of the app's own calls to one port."""
    spoken = {one.port.protocol for one in pod.outbound.upstreams if str(one.port.number) == table}
    protocol = Protocol.GRPC_WEB if Protocol.GRPC_WEB in spoken else Protocol.HTTP
    side = managers.outbound_side(pod)
    return managers.http(mesh, pod, side, f"outbound_{name}", (), protocol=protocol, route_table=table)


def connections(mesh: Mesh, pod: Pod, connection: ConnectionListener) -> Iterator[listener_pb2.Listener]:
    """The listeners of a port that is not known to be HTTP: one for each address of its service."""
    found = connection_chains(pod, connection)
    table = sniffed_table(pod, connection)
    asks = []
    if table is not None:
        asks = [inspector("http_inspector", http_inspector_pb2.HttpInspector())]
    elif any(route.sni for route in connection.routes):
        asks = [inspector("tls_inspector", tls_inspector_pb2.TlsInspector(initial_read_buffer_size=uint32(512)))]
    for address in connection.addresses or (ANY,):
        # A pod of a headless service dials its siblings, and itself directly.
        if address == pod.address:
            continue
        name = names.listener(address, connection.port)
        own, rest = found.known, found.rest
        if table is not None:
            own, rest = [_http_chain(mesh, pod, name, table)], found.rest or found.known[0]
        yield _listener(name, address, connection.port, own, default_filter_chain=rest, listener_filters=asks)


def sniffed_table(pod: Pod, connection: ConnectionListener) -> RouteTable | None:
    """The routes for what turns out to be HTTP on a port of unknown protocol."""
    name = f"{connection.service.host}:{connection.port}"
    return next((table for table in pod.outbound.route_tables if table.name == name), None)


@dataclass(frozen=True, slots=True)
class Chains:
    """Chains by what a connection is to, and the one for all others."""

    known: list[chains.FilterChain]
    rest: chains.FilterChain | None = None


def connection_chains(pod: Pod, connection: ConnectionListener) -> Chains:
    """A chain for each route: by server name or destination. One that matches all stands last, or alone.

    Where none matches all, what matches none goes where it was going.
    """
    made = [_connection_chain(pod, route, connection) for route in connection.routes]
    last = connection.routes[-1]
    if last.sni or last.destination_subnets:
        return Chains(made, _passthrough_chain(pod))
    if len(made) > 1 and not last.destination_subnets:
        return Chains(made[:-1], made[-1])
    return Chains(made)


def _connection_chain(pod: Pod, route: ConnectionRoute, connection: ConnectionListener) -> chains.FilterChain:
    match = None
    if route.sni or route.destination_subnets:
        match = chains.FilterChainMatch(
            server_names=route.sni, prefix_ranges=[cidr(block) for block in route.destination_subnets]
        )
    port = connection.service.port(connection.port)
    before = managers.PROTOCOL_FILTERS.get(port.protocol, ()) if port else ()
    return chains.FilterChain(
        filter_chain_match=match,
        filters=[*before, managers.tcp(pod, route.targets, connection.service.host)],
        transport_socket_connect_timeout=duration(CONNECT_SECONDS),
    )


def _http_chain(mesh: Mesh, pod: Pod, name: str, table: RouteTable) -> chains.FilterChain:
    return chains.FilterChain(
        filter_chain_match=chains.FilterChainMatch(transport_protocol=RAW, application_protocols=PLAIN_HTTP),
        filters=[manager(mesh, pod, name, table.name)],
        transport_socket_connect_timeout=duration(CONNECT_SECONDS),
    )


def _passthrough_chain(pod: Pod) -> chains.FilterChain:
    return chains.FilterChain(
        name="PassthroughFilterChain", filter_chain_match=chains.FilterChainMatch(), filters=[_elsewhere(pod)]
    )


def inspector(name: str, config: Message) -> chains.ListenerFilter:
    """A listener filter that looks at the first bytes."""
    return chains.ListenerFilter(name=f"envoy.filters.listener.{name}", typed_config=pack(config))


def _listener(
    name: str,
    address: str,
    port: int,
    filter_chains: list[chains.FilterChain],
    *,
    default_filter_chain: chains.FilterChain | None = None,
    listener_filters: list[chains.ListenerFilter] | None = None,
) -> listener_pb2.Listener:
    return listener_pb2.Listener(
        name=name,
        address=socket_address(address, port),
        filter_chains=filter_chains,
        default_filter_chain=default_filter_chain,
        listener_filters=listener_filters or [],
        listener_filters_timeout=duration_pb2.Duration(),
        continue_on_listener_filters_timeout=True,
        bind_to_port=boolean(False),
        traffic_direction=base_pb2.OUTBOUND,
    )


def _elsewhere(pod: Pod) -> chains.Filter:
    """Where a call to nobody we know goes."""
    cluster = names.PASSTHROUGH if pod.outbound.allow_any else names.BLACK_HOLE
    return managers.tcp_to(cluster, pod.client_telemetry)
