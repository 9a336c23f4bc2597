"""The route tables of a sidecar: one per port, a virtual host per service, and VirtualServices in their place.

The rules are istiod's BuildSidecarVirtualHostWrapper and buildSidecarOutboundVirtualHosts, as seen in its output.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from localmesh.memo import Memo
from localmesh.mesh.routes import Forward, HttpRoute, RouteTable, Target, VirtualHost, WeightedTarget
from localmesh.mesh.services import Service, ServicePort
from localmesh.resolve.hosts import HostIndex, domains, is_wildcard, matches
from localmesh.resolve.http_routes import Translation
from localmesh.resolve.retries import retry
from localmesh.resolve.virtual_services import Bound, Seen

# Any VirtualService acts on this port, whether or not a service has it: names outside the mesh are dialed there.
WEB_PORT = 80


@dataclass(frozen=True, slots=True)
class Wrapper:
    """Some routes, the services they are for, and the plain names they are for."""

    routes: tuple[HttpRoute, ...]
    services: tuple[Service, ...]
    names: tuple[str, ...] = ()


def table(name: str, translation: Translation, services: Mapping[str, Service], seen: Seen, kept: Memo) -> RouteTable:
    """The table of one port. `services`: all that the client sees with that port, by host. `kept`: of the last time."""
    wrappers = list(_wrappers(translation, services, seen, kept))
    taken = {service.host for wrapper in wrappers for service in wrapper.services}
    wrappers += [
        Wrapper((default_route(service, port, translation),), (service,))
        for service in services.values()
        if service.host not in taken and (port := service.port(translation.port)) and _is_routed(port)
    ]
    hosts = _virtual_hosts(wrappers, translation)
    return RouteTable(name, tuple(sorted(hosts, key=lambda host: host.name)))


def sniffed_table(service: Service, port: ServicePort, translation: Translation, seen: Seen, kept: Memo) -> RouteTable:
    """The table of a port whose protocol is sniffed: its listener serves this service alone, by whatever name."""
    name = f"{service.host}:{port.number}"
    made = table(name, translation, {service.host: service}, seen, kept).virtual_hosts
    own = [host for host in made if host.name == name] or list(made)
    return RouteTable(
        name, tuple(VirtualHost(own[0].name, ("*",), own[0].routes, False, service.host, port.number) for _ in own[:1])
    )


def default_route(service: Service, port: ServicePort, translation: Translation) -> HttpRoute:
    """Where requests go if no VirtualService says anything: to the service, tried again by the default policy."""
    target = Target(service.host, port.number)
    hash_on = translation.registry.hash_of(target)
    action = Forward(
        (WeightedTarget(target),),
        retry=retry(translation.settings.retry, hashed=False),
        hash_on=hash_on,
    )
    return HttpRoute("default", action)


def _is_routed(port: ServicePort) -> bool:
    return port.protocol.is_http or port.protocol.is_sniffed


def _wrappers(translation: Translation, services: Mapping[str, Service], seen: Seen, kept: Memo) -> Iterator[Wrapper]:
    bound = seen.bound if translation.port == WEB_PORT else seen.touching(services)
    for each in bound:
        if translation.port != WEB_PORT and not _touches(each, services):
            continue
        routes = kept.made(("routes", translation.port, each.config), Translation.routes, translation, each)
        found, names = _hosts(each, services, seen.owners)
        if each.gateway_api and not any({one.namespace, translation.namespace} & {each.namespace} for one in found):
            continue  # a route acts for callers of its own namespace, or for a service of it
        routed = any(port is not None and _is_routed(port) for port in (one.port(translation.port) for one in found))
        if routes and (routed or translation.port == WEB_PORT):
            yield Wrapper(routes, tuple(found), tuple(names))


def _touches(bound: Bound, services: Mapping[str, Service]) -> bool:
    return any(
        any(matches(service, host) for service in services) if is_wildcard(host) else host in services
        for host in bound.hosts
    )


def _hosts(bound: Bound, services: Mapping[str, Service], owners: HostIndex[Bound]) -> tuple[list[Service], list[str]]:
    """The services a VirtualService speaks for, and its other hosts; a wildcard without any service is a plain name."""
    found: list[Service] = []
    names: list[str] = []
    for host in (each for each in bound.hosts if not is_wildcard(each)):
        if host in services:
            found.append(services[host])
        else:
            names.append(host)
    for host in (each for each in bound.hosts if is_wildcard(each)):
        owned = [
            service for name, service in services.items() if matches(name, host) and owners.most_specific(name) is bound
        ]
        found += owned
        names += [] if owned else [host]
    return found, names


def _virtual_hosts(wrappers: Iterable[Wrapper], translation: Translation) -> Iterator[VirtualHost]:
    """Each name and each domain once: what comes first keeps it."""
    wrappers = list(wrappers)
    full = {service.host for wrapper in wrappers for service in wrapper.services}
    names: set[str] = set()
    taken: set[str] = set()
    for wrapper in wrappers:
        plain = ((host, (host,), ()) for host in wrapper.names)
        known = (
            (service.host, *domains(service, translation.port, translation.namespace)) for service in wrapper.services
        )
        for host, candidates, short in (*plain, *known):
            name = f"{host}:{translation.port}"
            if name in names:
                continue
            names.add(name)
            own = tuple(
                each for each in candidates if each.lower() not in taken and not (each in short and each in full)
            )
            taken.update(each.lower() for each in own)
            if own:
                yield VirtualHost(name, own, wrapper.routes, host=host, port=translation.port)
