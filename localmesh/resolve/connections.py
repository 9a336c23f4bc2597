"""Ports that are routed by connection: the tcp and tls routes of VirtualServices, and where connections go without."""

from collections.abc import Iterator
from dataclasses import dataclass

from localmesh.manifests.istio.virtual_service import L4MatchAttributes, RouteDestination, TLSMatchAttributes
from localmesh.mesh.pods import ConnectionListener
from localmesh.mesh.routes import ConnectionRoute, Target, WeightedTarget
from localmesh.mesh.services import Resolution, Service, ServicePort
from localmesh.resolve.http_routes import Translation
from localmesh.resolve.selection import selects
from localmesh.resolve.virtual_services import Bound, Seen


@dataclass(frozen=True, slots=True)
class Connections:
    """The connection routes of one client at one port."""

    translation: Translation
    seen: Seen

    def listener(self, service: Service, port: ServicePort) -> ConnectionListener:
        """A headless service is dialed by the address of a pod, any other by its own."""
        if service.resolution is Resolution.PASSTHROUGH and not service.addresses:
            ends = service.endpoints.get(port.number, ())
            addresses = tuple(dict.fromkeys(each.address for each in ends if each.ready))
        else:
            addresses = service.addresses
        return ConnectionListener(service, port.number, addresses, tuple(self._routes(service, port)))

    def _routes(self, service: Service, port: ServicePort) -> Iterator[ConnectionRoute]:
        for bound in self.seen.touching((service.host,)):
            if service.host in bound.hosts:
                found = tuple(self.routes_of(bound))
                yield from found
                # Server names that no tls route knows go nowhere in particular, not to the service.
                if any(each.sni or not each.destination_subnets for each in found):
                    return
                if found:
                    break
        yield ConnectionRoute((WeightedTarget(Target(service.host, port.number)),))

    def routes_of(self, bound: Bound) -> Iterator[ConnectionRoute]:
        """A VirtualService's tls routes, then its tcp routes up to one that takes every connection."""
        for tls in bound.tls:
            for each in tls.match:
                if self._applies(each):
                    yield ConnectionRoute(
                        self.targets(tls.route), each.sni_hosts, each.destination_subnets, each.source_labels, tls.where
                    )
        for tcp in bound.tcp:
            if not tcp.match:
                yield ConnectionRoute(self.targets(tcp.route), where=tcp.where)
                return
            for match in tcp.match:
                if self._applies(match):
                    subnets = match.destination_subnets
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
