"""What a client may call: upstreams, route tables and connection listeners, made once for all equal clients."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from localmesh.memo import Memo
from localmesh.mesh.identity import Labels
from localmesh.mesh.pods import Outbound, Pod
from localmesh.mesh.routes import RouteTable, Target
from localmesh.mesh.services import Service
from localmesh.mesh.upstreams import HashOn
from localmesh.resolve.connections import Connections, merged
from localmesh.resolve.http_routes import Translation
from localmesh.resolve.settings import Settings
from localmesh.resolve.sidecars import Scope, Sidecars, scope
from localmesh.resolve.steps import Steps
from localmesh.resolve.upstreams import Shaping
from localmesh.resolve.virtual_hosts import sniffed_table, table
from localmesh.resolve.virtual_services import MESH, Seen, VirtualServices
from localmesh.resolve.visibility import Visibility


@dataclass(frozen=True, slots=True)
class World:
    """All that is shared by everything that is resolved for clients."""

    settings: Settings
    visibility: Visibility
    shaping: Shaping
    virtual_services: VirtualServices
    sidecars: Sidecars
    # Labels that some policy asks of its clients: the only ones by which clients of a namespace can differ.
    client_labels: frozenset[str]

    def relevant(self, labels: Labels) -> Labels:
        """What of a client's labels can make a difference."""
        return {key: value for key, value in labels.items() if key in self.client_labels}


@dataclass(frozen=True, slots=True)
class ClientRegistry:
    """The hosts of one client, as `http_routes.Registry`."""

    shaping: Shaping
    services: Mapping[str, Service]
    namespace: str
    labels: Labels
    infers_port: bool = False

    def port_of(self, host: str, listener: int) -> int:
        """A gateway infers the only port of a service; a sidecar always takes its listener's (istiod's own rule)."""
        service = self.services.get(host) if self.infers_port else None
        return service.ports[0].number if service is not None and len(service.ports) == 1 else listener

    def hash_of(self, target: Target) -> HashOn | None:
        """None also for hosts that are no services."""
        service = self.services.get(target.host)
        if service is None:
            return None
        return self.shaping.hash_of(service, target.port, target.subset, self.namespace, self.labels)


class Outbounds:
    """The outbound sides of sidecars. Equal clients (namespace, relevant labels) get one object."""

    def __init__(self, world: World, steps: Steps) -> None:
        self._world, self._steps = world, steps
        self._made: dict[tuple[str, frozenset[tuple[str, str]]], Outbound] = {}

    def of(self, pod: Pod) -> Outbound:
        """What this pod's sidecar may call."""
        labels = self._world.relevant(pod.labels)
        key = (pod.namespace, frozenset(labels.items()))
        if key not in self._made:
            name = ("outbound", *key)
            make = partial(outbound, self._steps.within(name))
            self._made[key] = self._steps.made(name, make, self._world, pod.namespace, labels)
        return self._made[key]


def outbound(kept: Memo, world: World, namespace: str, labels: Labels) -> Outbound:
    """What sidecars of this namespace and with these labels may call. `kept`: of the last time for such."""
    kept.next_round()
    whole = Scope(
        world.visibility.of(namespace), world.virtual_services.seen(namespace, MESH), {}, world.settings.allow_any
    )
    known = scope(world.sidecars.of(namespace, labels), namespace, whole)
    services, seen = known.services, known.seen
    everything = {**services, **known.beyond} if known.beyond else services
    registry = ClientRegistry(world.shaping, everything, namespace, labels)

    def translation(port: int) -> Translation:
        return Translation(namespace, labels, MESH, port, registry, world.settings)

    connections = (
        Connections(translation(port.number), seen).listener(
            service, port, world.shaping.idle_timeout(service, port.number, namespace, labels)
        )
        for service in services.values()
        for port in service.ports
        if not port.protocol.is_http
    )
    return Outbound(
        upstreams=kept.made("upstreams", Shaping.all_upstreams, world.shaping, everything, namespace, labels),
        route_tables=tuple(_tables(services.values(), seen, translation, kept)),
        connections=tuple(merged(connections)),
        allow_any=known.allow_any,
    )


def _tables(
    services: Iterable[Service], seen: Seen, translation: Callable[[int], Translation], kept: Memo
) -> Iterator[RouteTable]:
    """A table for each port on which some service speaks HTTP, and one of its own for each sniffed port."""
    by_port: dict[int, dict[str, Service]] = defaultdict(dict)
    http: set[int] = set()
    sniffed = []
    for service in services:
        for port in service.ports:
            by_port[port.number][service.host] = service
            if port.protocol.is_http:
                http.add(port.number)
            if port.protocol.is_sniffed:
                sniffed.append((service, port))
    for number in sorted(http):
        yield table(str(number), translation(number), by_port[number], seen, kept)
    for service, port in sniffed:
        yield sniffed_table(service, port, translation(port.number), seen, kept)
