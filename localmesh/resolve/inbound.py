"""The ports that a pod's sidecar takes calls on."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from localmesh.mesh.identity import Protocol
from localmesh.mesh.pods import Inbound
from localmesh.mesh.services import Service, ServicePort
from localmesh.mesh.upstreams import Pool
from localmesh.resolve import traffic_policies as policies
from localmesh.resolve.destination_rules import DestinationRules
from localmesh.resolve.peer_authentication import Modes
from localmesh.resolve.pods import Seat
from localmesh.resolve.services import Registered, SeatIndex
from localmesh.resolve.settings import Settings


@dataclass(frozen=True, slots=True)
class Served:
    """A service port that leads to a port of a pod."""

    service: Service
    port: ServicePort
    target: int


def served(registered: Iterable[Registered], seats: SeatIndex) -> dict[str, list[Served]]:
    """For each pod (`namespace/name`) what services lead to it; by selectors, whether it is ready or not."""
    found: dict[str, list[Served]] = defaultdict(list)
    for each in registered:
        for seat in seats.selected(each.service.namespace, each.selector):
            for port in each.service.ports:
                target = each.target(port.number, seat)
                if target is not None:
                    found[seat.pod.key].append(Served(each.service, port, target))
    return found


def inbound(
    seat: Seat, serves: Iterable[Served], modes: Modes, rules: DestinationRules, settings: Settings
) -> tuple[Inbound, ...]:
    """One entry per workload port; several services may lead to it, and the first of them names it."""
    by_target: dict[int, list[Served]] = defaultdict(list)
    for each in serves:
        by_target[each.target].append(each)
    known = [
        Inbound(
            port=target,
            protocol=some[0].port.protocol,
            mtls=modes.of(target),
            services=tuple((each.service, each.port.number) for each in some),
            pool=_pool(some[0], seat.pod.namespace, rules, settings),
        )
        for target, some in sorted(by_target.items())
    ]
    unknown = sorted(set(modes.by_port) - set(by_target))
    return (*known, *(Inbound(port, Protocol.UNKNOWN, modes.of(port), passthrough=True) for port in unknown))


def _pool(serves: Served, namespace: str, rules: DestinationRules, settings: Settings) -> Pool:
    """A DestinationRule on a workload's own service shapes its inbound connections too; not by workload selector."""
    service = serves.service
    rule = rules.of(service.host, service.namespace, namespace, None)
    policy = policies.at_port(rule.policy if rule else None, serves.port.number)
    return policies.pool(policy.connection_pool, settings)
