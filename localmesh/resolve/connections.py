"""Ports that are routed by connection: the tcp and tls routes of VirtualServices, and where connections go without."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from localmesh.manifests.istio.virtual_service import L4MatchAttributes, RouteDestination, TLSMatchAttributes
from localmesh.mesh.identity import Protocol, Seconds
from localmesh.mesh.pods import ConnectionListener
from localmesh.mesh.routes import ConnectionRoute, Target, WeightedTarget
from localmesh.mesh.services import Resolution, Service, ServicePort
from localmesh.resolve.hosts import matches
from localmesh.resolve.http_routes import Translation
from localmesh.resolve.selection import selects
from localmesh.resolve.virtual_services import Bound, Seen

TLS = {Protocol.TLS, Protocol.HTTPS}


@dataclass(frozen=True, slots=True)
class Connections:
    """The connection routes of one client at one port."""

    translation: Translation
    seen: Seen

    def listener(self, service: Service, port: ServicePort, idle_timeout: Seconds | None) -> ConnectionListener:
        """A headless service is dialed by the address of a pod; one without any address by all, told apart by name."""
        if service.resolution is Resolution.PASSTHROUGH and service.endpoints:
            ends = service.endpoints.get(port.number, ())
            addresses = tuple(dict.fromkeys(each.address for each in ends if each.ready))
        else:
            addresses = tuple(each for each in service.addresses if "/" not in each)
        return ConnectionListener(service, port.number, addresses, tuple(self._routes(service, port)), idle_timeout)

    def _routes(self, service: Service, port: ServicePort) -> Iterator[ConnectionRoute]:
        """TLS ports take tls routes, others tcp routes; what none of them catches goes to the service."""
        is_tls = port.protocol in TLS
        found: list[ConnectionRoute] = []
        for bound in self.seen.touching((service.host,)):
            if any(matches(service.host, host) for host in bound.hosts):
                found += self.tls_routes(bound) if is_tls else self.tcp_routes(bound)
        # Server names that no tls route knows go nowhere in particular, not to the service.
        yield from found
        if (is_tls and found) or any(not (each.sni or each.destination_subnets) for each in found):
            return
        subnets = tuple(each for each in service.addresses if "/" in each)
        by_name = is_tls and not service.addresses and service.external
        names = (service.host,) if by_name or (is_tls and subnets) else ()
        yield ConnectionRoute((WeightedTarget(Target(service.host, port.number)),), names, subnets)

    def tls_routes(self, bound: Bound) -> Iterator[ConnectionRoute]:
        """A VirtualService's routes by server name."""
        for tls in bound.tls:
            for each in tls.match:
                if self._applies(each):
                    yield ConnectionRoute(
                        self.targets(tls.route),
                        _once(each.sni_hosts),
                        _once(each.destination_subnets),
                        each.source_labels,
                        tls.where,
                    )

    def tcp_routes(self, bound: Bound) -> Iterator[ConnectionRoute]:
        """Its routes of opaque connections, up to one that takes every connection."""
        for tcp in bound.tcp:
            if not tcp.match:
                yield ConnectionRoute(self.targets(tcp.route), where=tcp.where)
                return
            for match in tcp.match:
                if self._applies(match):
                    subnets = _once(match.destination_subnets)
                    yield ConnectionRoute(self.targets(tcp.route), (), subnets, match.source_labels, where=tcp.where)
                    if not subnets:
                        return

    def targets(self, written: tuple[RouteDestination, ...]) -> tuple[WeightedTarget, ...]:
        """As of an HTTP route: one alone takes all, weight 0 takes none."""
        return tuple(
            WeightedTarget(self.translation.target(each.destination), (each.weight or 0) if len(written) > 1 else 0)
            for each in written
            if each.weight or len(written) == 1
        )

    def _applies(self, match: TLSMatchAttributes | L4MatchAttributes) -> bool:
        client = self.translation
        return (
            match.port in {None, 0, client.port}
            and (not match.gateways or client.gateway in match.gateways)
            and match.source_namespace in {None, "", client.namespace}
            and selects(match.source_labels, client.labels)
        )


def merged(listeners: Iterable[ConnectionListener]) -> Iterator[ConnectionListener]:
    """Listeners on all addresses share their port by server name; of plain ones the first keeps it (as in istiod)."""
    everywhere: dict[int, ConnectionListener] = {}
    for each in listeners:
        if each.addresses or (each.service.resolution is Resolution.PASSTHROUGH and each.service.endpoints):
            yield each
            continue
        known = everywhere.get(each.port)
        if known is None:
            everywhere[each.port] = each
        elif all(route.sni or route.destination_subnets for route in known.routes):
            everywhere[each.port] = replace(known, routes=known.routes + each.routes)
    yield from everywhere.values()


def _once(values: tuple[str, ...]) -> tuple[str, ...]:
    """Each value once: Envoy takes no filter chain that asks for the same twice."""
    return tuple(dict.fromkeys(values))
