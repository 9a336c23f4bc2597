"""What a client may call: upstreams, route tables and connection listeners, made once for all equal clients."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from localmesh.mesh.identity import Labels
from localmesh.mesh.pods import Outbound, Pod
from localmesh.mesh.routes import RouteTable, Target
from localmesh.mesh.services import Service
from localmesh.mesh.upstreams import HashOn
from localmesh.resolve.connections import Connections, merged
from localmesh.resolve.http_routes import Translation
from localmesh.resolve.selection import is_exported
from localmesh.resolve.services import Registered
from localmesh.resolve.settings import Settings
from localmesh.resolve.sidecars import Scope, Sidecars, scope
from localmesh.resolve.upstreams import Shaping
from localmesh.resolve.virtual_hosts import sniffed_table, table
from localmesh.resolve.virtual_services import MESH, Seen, VirtualServices


@dataclass(frozen=True, slots=True)
class World:
    """All that is shared by everything that is resolved for clients."""

    settings: Settings
    registered: tuple[Registered, ...]
    shaping: Shaping
    virtual_services: VirtualServices
    sidecars: Sidecars
    # Labels that some policy asks of its clients: the only ones by which clients of a namespace can differ.
    client_labels: frozenset[str]
    _visible: dict[str, Mapping[str, Service]] = field(default_factory=dict, repr=False)

    def visible(self, namespace: str) -> Mapping[str, Service]:
        """The services that a namespace sees, by host."""
        if namespace not in self._visible:
            self._visible[namespace] = {
                each.service.host: each.service
                for each in self.registered
                if is_exported(each.export_to, each.service.namespace, namespace)
            }
        return self._visible[namespace]

    def relevant(self, labels: Labels) -> Labels:
        """What of a client's labels can make a difference."""
        return {key: value for key, value in labels.items() if key in self.client_labels}


@dataclass(frozen=True, slots=True)
class ClientRegistry:
    """The hosts of one client, as `http_routes.Registry`."""

    world: World
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
        return self.world.shaping.hash_of(service, target.port, target.subset, self.namespace, self.labels)


class Outbounds:
    """The outbound sides of sidecars. Equal clients (namespace, relevant labels) get one object."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._made: dict[tuple[str, frozenset[tuple[str, str]]], Outbound] = {}

    def of(self, pod: Pod) -> Outbound:
        """What this pod's sidecar may call."""
        labels = self._world.relevant(pod.labels)
        key = (pod.namespace, frozenset(labels.items()))
        if key not in self._made:
            self._made[key] = self._make(pod.namespace, labels)
        return self._made[key]

    def _make(self, namespace: str, labels: Labels) -> Outbound:
        world = self._world
        whole = Scope(
            world.visible(namespace), world.virtual_services.seen(namespace, MESH), {}, world.settings.allow_any
        )
        known = scope(world.sidecars.of(namespace, labels), namespace, whole)
        services, seen = known.services, known.seen
        registry = ClientRegistry(world, {**services, **known.beyond}, namespace, labels)

        def translation(port: int) -> Translation:
            return Translation(namespace, labels, MESH, port, registry, world.settings)

        callable_ = (*services.values(), *known.beyond.values())
        upstreams = (each for one in callable_ for each in world.shaping.upstreams(one, namespace, labels))
        connections = (
            Connections(translation(port.number), seen).listener(
                service, port, world.shaping.idle_timeout(service, port.number, namespace, labels)
            )
            for service in services.values()
            for port in service.ports
            if not port.protocol.is_http
        )
        return Outbound(
            upstreams=tuple(sorted(upstreams, key=lambda each: (each.service.host, each.port.number))),
            route_tables=tuple(_tables(services.values(), seen, translation)),
            connections=tuple(merged(connections)),
            allow_any=known.allow_any,
        )


def _tables(services: Iterable[Service], seen: Seen, translation: Callable[[int], Translation]) -> Iterator[RouteTable]:
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
        yield table(str(number), translation(number), by_port[number], seen)
    for service, port in sniffed:
        yield sniffed_table(service, port, translation(port.number), seen)
