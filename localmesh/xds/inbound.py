"""What a sidecar takes calls with: the listener `virtualInbound`, its filter chains, and the clusters to the app.

Each port has chains by the mTLS mode in force: a STRICT port knows TLS only, a DISABLE port plaintext only, and a
PERMISSIVE one tells them apart by transport protocol and ALPN (pilot/pkg/networking/core/listener_inbound.go).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from envoy.config.core.v3 import base_pb2
from envoy.config.listener.v3 import listener_components_pb2 as chains
from envoy.config.listener.v3 import listener_pb2
from envoy.extensions.filters.listener.http_inspector.v3 import http_inspector_pb2
from envoy.extensions.filters.listener.original_dst.v3 import original_dst_pb2
from envoy.extensions.filters.listener.tls_inspector.v3 import tls_inspector_pb2
from envoy.type.v3 import range_pb2
from google.protobuf import duration_pb2
from google.protobuf.message import Message

from localmesh.mesh import Mesh
from localmesh.mesh.identity import Protocol
from localmesh.mesh.pods import Inbound, Pod
from localmesh.mesh.security import Mtls
from localmesh.xds import managers, names, tls
from localmesh.xds.filters import Policy, policies, trust_domains
from localmesh.xds.routes import inbound_routes
from localmesh.xds.telemetry import listener_access_logs
from localmesh.xds.wire import pack, socket_address, uint32

# ALPN of the mesh's own connections: HTTP as the peer's sidecar knows it to be, and opaque TCP.
MESH_HTTP = ("istio-http/1.0", "istio-http/1.1", "istio-h2")
MESH_TCP = ("istio-peer-exchange", "istio")
MESH = ("istio", "istio-peer-exchange", *MESH_HTTP)
PLAIN_HTTP = ("http/1.1", "h2c")
TLS = "tls"
RAW = "raw_buffer"


@dataclass(frozen=True, slots=True)
class Match:
    """How a connection is recognised, and whether its TLS ends here."""

    transport: str
    alpn: tuple[str, ...] = ()
    http: bool = False
    terminates: bool = False


# What tells the connections of a port apart, by its mode. In istiod's order.
_HTTP = {
    Mtls.STRICT: (Match(TLS, http=True, terminates=True),),
    Mtls.PERMISSIVE: (Match(TLS, MESH, http=True, terminates=True), Match(RAW, http=True)),
    Mtls.DISABLE: (Match(RAW, http=True),),
}
_TCP = {
    Mtls.STRICT: (Match(TLS, terminates=True),),
    Mtls.PERMISSIVE: (Match(TLS, MESH, terminates=True), Match(TLS), Match(RAW)),
    Mtls.DISABLE: (Match(RAW),),
}
_SNIFFED = {
    Mtls.STRICT: (Match(TLS, MESH_HTTP, http=True, terminates=True), Match(TLS, terminates=True)),
    Mtls.PERMISSIVE: (
        Match(TLS, MESH_HTTP, http=True, terminates=True),
        Match(RAW, PLAIN_HTTP, http=True),
        Match(TLS, MESH_TCP, terminates=True),
        Match(RAW),
        Match(TLS),
    ),
    Mtls.DISABLE: (Match(RAW, PLAIN_HTTP, http=True), Match(RAW)),
}


def matches(protocol: Protocol, mtls: Mtls) -> tuple[Match, ...]:
    """The kinds of connection that a port takes."""
    if protocol.is_sniffed:
        return _SNIFFED[mtls]
    return (_HTTP if protocol.is_http else _TCP)[mtls]


def listener(mesh: Mesh, pod: Pod) -> listener_pb2.Listener:
    """`virtualInbound`: all that iptables redirects to port 15006."""
    return listener_pb2.Listener(
        name=names.VIRTUAL_INBOUND,
        address=socket_address("0.0.0.0", names.VIRTUAL_INBOUND_PORT),  # noqa: S104 - as in a pod's own network
        access_log=listener_access_logs(pod.server_telemetry),
        filter_chains=list(filter_chains(mesh, pod)),
        listener_filters=_listener_filters(_ports(pod)),
        listener_filters_timeout=duration_pb2.Duration(),
        continue_on_listener_filters_timeout=True,
        traffic_direction=base_pb2.INBOUND,
        max_connections_to_accept_per_socket_event=uint32(1),
    )


def filter_chains(mesh: Mesh, pod: Pod) -> Iterator[chains.FilterChain]:
    """All chains: against loops, for ports that nothing declares, then port by port."""
    yield chains.FilterChain(
        name="virtualInbound-blackhole",
        filter_chain_match=chains.FilterChainMatch(destination_port=uint32(names.VIRTUAL_INBOUND_PORT)),
        filters=[managers.tcp_to(names.BLACK_HOLE, None)],
    )
    build = _Chains(mesh, pod, policies(mesh, pod), managers.connection_policies(mesh, pod))
    for port in _ports(pod):
        for match in matches(port.protocol, port.mtls):
            yield build.chain(port, match)


def _ports(pod: Pod) -> list[Inbound]:
    """All that is not declared, as port 0; the ports that only a PeerAuthentication knows; the app's own."""
    undeclared = Inbound(0, Protocol.UNKNOWN, pod.default_mtls, passthrough=True)
    return [undeclared, *sorted(pod.inbound, key=lambda one: (not one.passthrough, one.port))]


@dataclass(frozen=True, slots=True)
class _Chains:
    """What all chains of one pod share."""

    mesh: Mesh
    pod: Pod
    policies: tuple[Policy, ...]
    connection_policies: list[chains.Filter]

    def chain(self, port: Inbound, match: Match) -> chains.FilterChain:
        return chains.FilterChain(
            name=self._name(port, match),
            filter_chain_match=chains.FilterChainMatch(
                destination_port=uint32(port.port or None),
                transport_protocol=match.transport,
                application_protocols=match.alpn,
            ),
            filters=self._filters(port, match),
            transport_socket=self._socket(match),
        )

    def _name(self, port: Inbound, match: Match) -> str:
        if port.passthrough:
            return "virtualInbound-catchall-http" if match.http else names.VIRTUAL_INBOUND
        return names.listener("0.0.0.0", port.port)  # noqa: S104

    def _filters(self, port: Inbound, match: Match) -> list[chains.Filter]:
        cluster = names.INBOUND_PASSTHROUGH if port.passthrough else names.inbound_cluster(port.port)
        telemetry = self.pod.server_telemetry
        if not match.http:
            before = managers.PROTOCOL_FILTERS.get(port.protocol, ())
            return [*before, *self.connection_policies, managers.tcp_to(cluster, telemetry)]
        prefix = cluster if port.passthrough else f"inbound_0.0.0.0_{port.port}"
        return [
            managers.http(
                self.mesh,
                self.pod,
                managers.inbound_side(self.pod),
                prefix,
                self.policies,
                protocol=port.protocol,
                routes=inbound_routes(port, cluster),
                http2=port.protocol.is_http2,
            )
        ]

    def _socket(self, match: Match) -> base_pb2.TransportSocket | None:
        return tls.server_mtls(trust_domains(self.mesh)) if match.terminates else None


def _listener_filters(ports: Iterable[Inbound]) -> list[chains.ListenerFilter]:
    """Who the connection was for, and what it speaks; a port that has one answer is not asked.

    Port 0 stands for all that nothing declares.
    """
    found = [_listener_filter("original_dst", original_dst_pb2.OriginalDst())]
    asked = [(one.port, matches(one.protocol, one.mtls)) for one in ports]
    tls_ports = [port for port, kinds in asked if any(kind.transport == TLS for kind in kinds)]
    http_ports = [port for port, kinds in asked if any(kind.alpn == PLAIN_HTTP for kind in kinds)]
    all_ports = {port for port, _ in asked}
    if tls_ports:
        config = tls_inspector_pb2.TlsInspector(initial_read_buffer_size=uint32(512))
        found.append(_listener_filter("tls_inspector", config, all_ports.difference(tls_ports)))
    if http_ports:
        inspector = http_inspector_pb2.HttpInspector()
        found.append(_listener_filter("http_inspector", inspector, all_ports.difference(http_ports)))
    return found


def _listener_filter(name: str, config: Message, not_on: Iterable[int] | None = None) -> chains.ListenerFilter:
    disabled = None if not_on is None else _on_ports(sorted({*not_on, names.VIRTUAL_INBOUND_PORT}))
    return chains.ListenerFilter(
        name=f"envoy.filters.listener.{name}", typed_config=pack(config), filter_disabled=disabled
    )


def _on_ports(ports: list[int]) -> chains.ListenerFilterChainMatchPredicate:
    each = [
        chains.ListenerFilterChainMatchPredicate(destination_port_range=range_pb2.Int32Range(start=port, end=port + 1))
        for port in ports
    ]
    if len(each) == 1:
        return each[0]
    many = chains.ListenerFilterChainMatchPredicate.MatchSet(rules=each)
    return chains.ListenerFilterChainMatchPredicate(or_match=many)
