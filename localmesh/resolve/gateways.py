"""Gateways -> the servers that a gateway pod opens, and their route tables.

The rules are istiod's MergeGateways and buildGatewayHTTPRouteConfig, as seen in its output.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from localmesh.manifests.documents import Documents
from localmesh.manifests.istio import Gateway
from localmesh.memo import Memo
from localmesh.mesh.pods import GatewayServer, Outbound, Pod, Proxy
from localmesh.mesh.routes import ConnectionRoute
from localmesh.resolve.connections import Connections
from localmesh.resolve.findings import Findings
from localmesh.resolve.gateway_api import Attachments
from localmesh.resolve.gateway_hosts import table
from localmesh.resolve.gateway_servers import Chosen, Opened, merged, opened_servers
from localmesh.resolve.gateway_tls import server_tls
from localmesh.resolve.hosts import intersection
from localmesh.resolve.http_routes import Translation
from localmesh.resolve.inbound import Served
from localmesh.resolve.outbound import ClientRegistry, World
from localmesh.resolve.pods import Seat
from localmesh.resolve.selection import Selected, age, oldest_first
from localmesh.resolve.upstreams import Shaping


class Gateways:
    """All Gateways: Istio's own by the labels of a pod anywhere, the Gateway API's by the Services before the pod."""

    def __init__(self, documents: Documents, attached: Attachments) -> None:
        self._by_labels: Selected[Chosen] = Selected()
        self._by_service: dict[str, list[Chosen]] = defaultdict(list)
        self.written = oldest_first(documents.of(Gateway))
        for written in self.written:
            self._by_labels.add("", written.spec.selector, Chosen(written))
        for each in attached.gateways:
            for host in each.services:
                self._by_service[host].append(each)

    def of(self, pod: Pod, serves: Iterable[Served]) -> list[Chosen]:
        """Those that a pod serves, the oldest first. `serves`: the Services before it."""
        services = {each.service.host for each in serves if each.service.namespace == pod.namespace}
        by_service = {id(each): each for host in services for each in self._by_service.get(host, ())}
        own = [each for each in by_service.values() if each.gateway.namespace == pod.namespace]
        found = self._by_labels.of("", pod.labels) + own
        return sorted(found, key=lambda each: age(each.gateway)) if own else found

    def by_namespace(
        self, seats: Iterable[Seat], serves: Mapping[str, tuple[Served, ...]]
    ) -> dict[str, tuple[Gateway, ...]]:
        """The Gateways that the pods of each namespace serve."""
        found: dict[str, dict[int, Gateway]] = {}
        for seat in seats:
            if seat.pod.proxy is Proxy.GATEWAY:
                chosen = (each.gateway for each in self.of(seat.pod, serves.get(seat.pod.key, ())))
                found.setdefault(seat.pod.namespace, {}).update({id(each): each for each in chosen})
        return {namespace: tuple(some.values()) for namespace, some in found.items()}


@dataclass(frozen=True, slots=True)
class GatewaySide:
    """What a gateway pod opens and calls."""

    servers: tuple[GatewayServer, ...]
    outbound: Outbound


def gateway_side(
    pod: Pod, gateways: Gateways, serves: tuple[Served, ...], world: World, findings: Findings, *, kept: Memo
) -> GatewaySide:
    """The servers of all Gateways that select this pod, merged by port, and everything that they lead to.

    `kept`: of the last time for this pod.
    """
    kept.next_round()
    opened = tuple(merged(opened_servers(gateways.of(pod, serves), serves), findings))
    services = world.visibility.of(pod.namespace)
    labels = world.relevant(pod.labels)
    registry = ClientRegistry(world.shaping, services, pod.namespace, labels, infers_port=True)

    def translation(each: Opened) -> Translation:
        number = each.written.port.number
        return Translation(pod.namespace, labels, each.name, number, registry, world.settings, is_tls=each.is_tls)

    by_table: dict[str, list[Opened]] = defaultdict(list)
    for each in opened:
        if each.is_http:
            by_table[each.route_table].append(each)
    tables = [table(name, some, translation, world.virtual_services, kept) for name, some in sorted(by_table.items())]
    return GatewaySide(
        tuple(_server(each, translation(each), world) for each in opened),
        Outbound(
            upstreams=kept.made(
                "upstreams", Shaping.all_upstreams, world.shaping, services, pod.namespace, labels, True
            ),
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
        hosts=tuple(dict.fromkeys(host.partition("/")[2] or host for host in written.hosts)),
        name=written.port.name,
        bind=written.bind or "",
        tls=server_tls(written.tls) if each.is_tls else None,  # istiod reads no tls where the protocol is plain
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
