"""Gateways -> the servers that a gateway pod opens, and their route tables.

The rules are istiod's MergeGateways and buildGatewayHTTPRouteConfig, as seen in its output.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from localmesh.manifests.documents import Documents
from localmesh.manifests.istio import Gateway
from localmesh.mesh.identity import Labels
from localmesh.mesh.pods import GatewayServer, Outbound
from localmesh.mesh.routes import ConnectionRoute
from localmesh.resolve.connections import Connections
from localmesh.resolve.findings import Findings
from localmesh.resolve.gateway_hosts import table
from localmesh.resolve.gateway_servers import Opened, merged, opened_servers
from localmesh.resolve.gateway_tls import server_tls
from localmesh.resolve.hosts import intersection
from localmesh.resolve.http_routes import Translation
from localmesh.resolve.inbound import Served
from localmesh.resolve.outbound import ClientRegistry, World
from localmesh.resolve.pods import Seat
from localmesh.resolve.selection import Selected, oldest_first


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
    opened = tuple(merged(opened_servers(gateways, serves), findings))
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
        if not intersection(each.hosts_for(bound.namespace), bound.hosts):
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
