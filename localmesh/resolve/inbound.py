"""The ports that a pod's sidecar takes calls on."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from localmesh.manifests.istio import Sidecar
from localmesh.manifests.istio.sidecar import IstioIngressListener
from localmesh.mesh.identity import Protocol
from localmesh.mesh.pods import Inbound
from localmesh.mesh.services import Service, ServicePort
from localmesh.mesh.upstreams import Pool
from localmesh.resolve import traffic_policies as policies
from localmesh.resolve.peer_authentication import Modes
from localmesh.resolve.pods import Seat
from localmesh.resolve.protocols import parse
from localmesh.resolve.services import Registered, SeatIndex
from localmesh.resolve.sidecars import app_address, inbound_pool
from localmesh.resolve.upstreams import Shaping


@dataclass(frozen=True, slots=True)
class Served:
    """A service port that leads to a port of a pod."""

    service: Service
    port: ServicePort
    target: int


def served(registered: Iterable[Registered], seats: SeatIndex) -> dict[str, tuple[Served, ...]]:
    """For each pod (`namespace/name`) what services lead to it; by selectors, whether it is ready or not."""
    found: dict[str, list[Served]] = defaultdict(list)
    for each in registered:
        for seat in seats.selected(each.service.namespace, each.selector):
            by_target: dict[int, Served] = {}
            for port in each.service.ports:
                target = each.target(port.number, seat)
                if target is not None:  # of two ports that lead to the same, istiod takes the last
                    by_target[target] = Served(each.service, port, target)
            found[seat.pod.key] += by_target.values()
    return {key: tuple(some) for key, some in found.items()}


def inbound(
    seat: Seat, serves: Iterable[Served], modes: Modes, shaping: Shaping, sidecar: Sidecar | None
) -> tuple[Inbound, ...]:
    """One entry per workload port; several services may lead to it, and the first of them names it.

    A Sidecar with ingress listeners names the ports instead; what else services lead to then passes through.
    """
    by_target: dict[int, list[Served]] = defaultdict(list)
    for each in serves:
        by_target[each.target].append(each)
    ports = _Ports(seat, modes, shaping, sidecar)
    if sidecar is not None and sidecar.spec.ingress:
        known = [ports.of_ingress(each, by_target) for each in sidecar.spec.ingress]
    else:
        known = [ports.of_services(target, some) for target, some in sorted(by_target.items())]
    unknown = sorted(set(modes.by_port) - {each.port for each in known})
    return (*known, *(Inbound(port, Protocol.UNKNOWN, modes.of(port), passthrough=True) for port in unknown))


@dataclass(frozen=True, slots=True)
class _Ports:
    """The ports of one pod."""

    seat: Seat
    modes: Modes
    shaping: Shaping
    sidecar: Sidecar | None

    def of_services(self, target: int, serves: list[Served]) -> Inbound:
        return Inbound(
            port=target,
            protocol=serves[0].port.protocol,
            mtls=self.modes.of(target),
            services=tuple((each.service, each.port.number) for each in serves),
            pool=self._pool(serves, None),
        )

    def of_ingress(self, ingress: IstioIngressListener, by_target: Mapping[int, list[Served]]) -> Inbound:
        number = ingress.port.number or 0
        serves = by_target.get(number, [])
        return Inbound(
            port=number,
            protocol=parse(ingress.port.protocol or ""),
            mtls=self.modes.of(number),
            services=tuple((each.service, each.port.number) for each in serves),
            pool=self._pool(serves, ingress),
            app=app_address(ingress, self.seat.pod.address),
        )

    def _pool(self, serves: list[Served], ingress: IstioIngressListener | None) -> Pool:
        """The Sidecar's; else a DestinationRule's on the workload's own service, which shapes inbound calls too."""
        settings = self.shaping.settings
        written = inbound_pool(self.sidecar, ingress)
        if written is None and serves:
            service, port = serves[0].service, serves[0].port.number
            rule = self.shaping.rules.of(service.host, service.namespace, self.seat.pod.namespace, None)
            written = policies.at_port(rule.policy if rule else None, port).connection_pool
        return policies.pool(written, settings)
