"""Gateways -> the servers that a gateway pod opens, and their route tables.

The rules are istiod's MergeGateways and buildGatewayHTTPRouteConfig, as seen in its output.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from localmesh.manifests.documents import Documents
from localmesh.manifests.istio import Gateway
from localmesh.manifests.istio.gateway import Server
from localmesh.mesh.identity import Labels, Protocol
from localmesh.mesh.pods import GatewayServer, Outbound
from localmesh.mesh.routes import ConnectionRoute
from localmesh.resolve.connections import Connections
from localmesh.resolve.findings import Findings
from localmesh.resolve.gateway_hosts import server_hosts, table
from localmesh.resolve.gateway_tls import server_tls
from localmesh.resolve.hosts import intersection
from localmesh.resolve.http_routes import Translation
from localmesh.resolve.inbound import Served
from localmesh.resolve.outbound import ClientRegistry, World
from localmesh.resolve.pods import Seat
from localmesh.resolve.protocols import parse
from localmesh.resolve.selection import Selected, oldest_first

PASSTHROUGH = {"PASSTHROUGH", "AUTO_PASSTHROUGH"}


@dataclass(frozen=True, slots=True)
class Opened:
    """One server of a Gateway at one pod."""

    gateway: Gateway
    written: Server
    port: int  # that the pod listens on

    @property
    def name(self) -> str:
        """The Gateway, as VirtualServices name it."""
        return f"{self.gateway.namespace}/{self.gateway.name}"

    @property
    def protocol(self) -> Protocol:
        """As the server says."""
        return parse(self.written.port.protocol)

    @property
    def is_passthrough(self) -> bool:
        """TLS is not ended here."""
        tls = self.written.tls
        return tls is not None and not tls.https_redirect and (tls.mode or "PASSTHROUGH") in PASSTHROUGH

    @property
    def is_http(self) -> bool:
        """Routed by its requests: plain, or with TLS ended here."""
        ended = self.protocol is Protocol.HTTPS and self.written.tls is not None and not self.is_passthrough
        return self.protocol.is_http or ended

    @property
    def is_tls(self) -> bool:
        """Chosen by server name."""
        return self.written.tls is not None and not self.protocol.is_http

    @property
    def route_table(self) -> str:
        """The name that istiod gives its routes; "" if it has none."""
        port, bind = self.written.port, f".{self.written.bind}" if self.written.bind else ""
        if self.protocol.is_http:
            return f"http.{self.port}{bind}"
        owner = f"{self.gateway.name}.{self.gateway.namespace}"
        return f"https.{port.number}.{port.name}.{owner}{bind}" if self.is_http else ""


class Gateways:
    """All Gateways, found by the labels of a pod of any namespace."""

    def __init__(self, documents: Documents) -> None:
        self._by_labels: Selected[Gateway] = Selected()
        self.written = oldest_first(documents.of(Gateway))
        for each in self.written:
            self._by_labels.add("", each.spec.selector, each)

    def of(self, labels: Labels) -> list[Gateway]:
        """Those that a pod with these labels serves, the oldest first."""
        return self._by_labels.of("", labels)


@dataclass(frozen=True, slots=True)
class GatewaySide:
    """What a gateway pod opens and calls."""

    servers: tuple[GatewayServer, ...]
    outbound: Outbound


def gateway_side(
    seat: Seat, gateways: Iterable[Gateway], serves: Iterable[Served], world: World, findings: Findings
) -> GatewaySide:
    """The servers of all Gateways that select this pod, merged by port, and everything that they lead to."""
    pod = seat.pod
    opened = tuple(_merged(_opened(gateways, serves), findings))
    services = world.visible(pod.namespace)
    labels = world.relevant(pod.labels)
    registry = ClientRegistry(world, services, pod.namespace, labels, infers_port=True)

    def translation(each: Opened) -> Translation:
        return Translation(pod.namespace, labels, each.name, each.written.port.number, registry, world.settings)

    by_table: dict[str, list[Opened]] = defaultdict(list)
    for each in opened:
        if each.is_http:
            by_table[each.route_table].append(each)
    tables = [table(name, some, translation, world.virtual_services) for name, some in sorted(by_table.items())]
    upstreams = (each for one in services.values() for each in world.shaping.upstreams(one, pod.namespace, labels))
    return GatewaySide(
        tuple(_server(each, translation(each), world) for each in opened),
        Outbound(
            upstreams=tuple(sorted(upstreams, key=lambda each: (each.service.host, each.port.number))),
            route_tables=tuple(tables),
            allow_any=world.settings.allow_any,
        ),
    )


def _opened(gateways: Iterable[Gateway], serves: Iterable[Served]) -> Iterator[Opened]:
    """A server's port is a port of the Service before the pod; one that no Service has is opened as it is."""
    targets: dict[int, int] = {}
    for each in serves:
        targets.setdefault(each.port.number, each.target)
    for gateway in gateways:
        for server in gateway.spec.servers:
            yield Opened(gateway, server, targets.get(server.port.number, server.port.number))


def _merged(opened: Iterable[Opened], findings: Findings) -> Iterator[Opened]:
    """Those that fit together on their ports. HTTP joins HTTP, TLS joins TLS with other hosts; the rest is left out."""
    first: dict[int, Opened] = {}
    tls_hosts: dict[tuple[int, str], dict[str, Opened]] = defaultdict(dict)
    tables: set[str] = set()
    for each in opened:
        bind = each.written.bind or ""
        if each.written.tls is not None:
            known = tls_hosts[each.port, bind]
            again = next((host for host in each.written.hosts if host in known), None)
            if again is not None:
                what = f"host {again!r} is served on port {each.port} already; Istio leaves this server out"
                findings.warn(each.written.where, what, f"first at {known[again].written.where}")
                continue
            known.update(dict.fromkeys(each.written.hosts, each))
        current = first.setdefault(each.port, each)
        if current is not each and (current.written.bind or "") == bind and not _fit(current, each, tables):
            what = f"port {each.port} is taken by a server that this one cannot share it with; Istio leaves it out"
            findings.warn(each.written.where, what, f"the other is at {current.written.where}")
            continue
        tables.add(each.route_table)
        yield each


def _fit(current: Opened, each: Opened, tables: set[str]) -> bool:
    if not current.is_tls:
        return current.protocol.is_http and each.protocol.is_http
    return each.is_tls and not (each.is_http and each.route_table in tables)


def _server(each: Opened, translation: Translation, world: World) -> GatewayServer:
    written = each.written
    return GatewayServer(
        port=each.port,
        service_port=written.port.number,
        protocol=each.protocol,
        hosts=tuple(host.partition("/")[2] or host for host in written.hosts),
        name=written.port.name,
        bind=written.bind or "",
        tls=server_tls(written.tls),
        route_table=each.route_table,
        connections=() if each.is_http else tuple(_connections(each, translation, world)),
        where=written.where,
    )


def _connections(each: Opened, translation: Translation, world: World) -> Iterator[ConnectionRoute]:
    """Passed-through TLS by server name; of plain connections the first tcp route takes all."""
    seen = world.virtual_services.seen(translation.namespace, each.name)
    connections = Connections(translation, seen)
    names: set[str] = set()
    for bound in seen.bound:
        if not intersection(server_hosts(each, bound.namespace), bound.hosts):
            continue
        if each.is_passthrough:
            for route in connections.tls_routes(bound):
                if not names & set(route.sni):
                    names |= set(route.sni)
                    yield route
        else:
            route_of_all = next(iter(connections.tcp_routes(bound)), None)
            if route_of_all is not None:
                yield route_of_all
                return
