"""References that lead nowhere, and what is valid and hardly meant: said with the nearest name that exists."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from localmesh import codes
from localmesh.manifests.documents import Documents
from localmesh.manifests.istio import (
    AuthorizationPolicy,
    DestinationRule,
    PeerAuthentication,
    RequestAuthentication,
    Telemetry,
)
from localmesh.manifests.istio.common import Attached, Destination
from localmesh.manifests.istio.virtual_service import HTTPRoute
from localmesh.mesh import Workload
from localmesh.mesh.identity import Labels
from localmesh.mesh.pods import Proxy
from localmesh.mesh.services import Service
from localmesh.resolve.attaching import targets
from localmesh.resolve.destination_rules import DestinationRules
from localmesh.resolve.findings import Findings, nearest, nearest_host
from localmesh.resolve.gateways import Gateways
from localmesh.resolve.hosts import is_wildcard, matches, qualified
from localmesh.resolve.outbound import World
from localmesh.resolve.pods import GATEWAY_NAME
from localmesh.resolve.retried_writes import check_retries
from localmesh.resolve.selection import selects
from localmesh.resolve.services import SeatIndex
from localmesh.resolve.unserved_hosts import check_hosts
from localmesh.resolve.virtual_services import MESH, Bound, VirtualServices


def client_labels(virtual_services: VirtualServices) -> set[str]:
    """The labels that routes ask of their clients."""
    found: set[str] = set()
    for bound in virtual_services.bound:
        found |= {label for http in bound.http for match in http.match for label in match.source_labels}
        found |= {label for tcp in bound.tcp for match in tcp.match for label in match.source_labels}
        found |= {label for tls in bound.tls for match in tls.match for label in match.source_labels}
    return found


@dataclass(frozen=True, slots=True)
class _Known:
    """What a destination can lead to: also pods that a workload would have, were it not scaled to nothing."""

    services: Mapping[str, Service]
    selectors: Mapping[str, Labels]  # of services, by host
    templates: Mapping[str, list[Labels]]  # labels of the workloads' pods, by namespace
    rules: DestinationRules

    def holds(self, service: Service, labels: Labels) -> bool:
        """Whether some pod behind the service has these labels."""
        if any(selects(labels, end.labels) for some in service.endpoints.values() for end in some):
            return True
        selector = self.selectors.get(service.host, {})
        templates = self.templates.get(service.namespace, ()) if selector else ()
        return any(selects(selector, each) and selects(labels, each) for each in templates)


def check_references(
    documents: Documents,
    world: World,
    gateways: Gateways,
    pods: tuple[tuple[Workload, ...], SeatIndex],
    findings: Findings,
) -> None:
    """All of routes, rules and Gateways that only all documents together can show."""
    services = world.visibility.by_host
    workloads, index = pods
    templates: dict[str, list[Labels]] = defaultdict(list)
    for workload in workloads:
        templates[workload.namespace].append(workload.labels)
    selectors = {each.service.host: each.selector for each in world.visibility.registered}
    known = _Known(services, selectors, templates, world.shaping.rules)
    known_gateways = {f"{each.namespace}/{each.name}" for each in gateways.written}
    for bound in (*world.virtual_services.bound, *world.virtual_services.delegates.values()):
        _check_bound(bound, services, known_gateways, findings)
        for destination in (each for each in bound.destinations() if each.host):
            _check_destination(destination, known, findings)
    _check_owners(world.virtual_services, findings)
    written = (*world.virtual_services.bound, *world.virtual_services.delegates.values())
    check_retries(written, services, world.settings.written.default_http_retry_policy, findings)
    check_hosts(world.virtual_services.bound, gateways.written, findings)
    for rule in documents.of(DestinationRule):
        _check_rule(rule, services, findings)
    gateway_pods = [seat.pod for seat in index.by_key.values() if seat.pod.proxy is Proxy.GATEWAY]
    for gateway in gateways.written:
        if not any(selects(gateway.spec.selector, pod.labels) for pod in gateway_pods):
            findings.warn(
                codes.CLOSED_GATEWAY,
                gateway.spec.at("selector"),
                "no gateway pod has these labels: nothing opens this Gateway",
            )


def _check_bound(bound: Bound, services: Mapping[str, Service], gateways: set[str], findings: Findings) -> None:
    if bound.written is None:
        return
    spec = bound.written.spec
    for index, _ in enumerate(spec.gateways):
        name = bound.gateways[index]
        if name != MESH and name not in gateways:
            hint = nearest(name, gateways) or "a Gateway is named `name` or `namespace/name`"
            findings.problem(spec.at("gateways", index), f"there is no Gateway {name}", hint, codes.NO_SUCH_GATEWAY)
    internal = [host for host in bound.hosts if host in services]
    if internal and MESH not in bound.gateways:
        what = f"{internal[0]} is a service of the mesh, but this VirtualService does not act on calls inside it"
        findings.warn(
            codes.NOT_IN_THE_MESH,
            spec.at("gateways"),
            what,
            "add `mesh` to gateways, if callers in the mesh are meant too",
        )
    if bound.hosts and bound.gateways == (MESH,):
        for index, host in enumerate(bound.hosts):
            if not any(matches(service, host) for service in services) if is_wildcard(host) else host not in services:
                findings.warn(
                    codes.NOBODY_ASKS,
                    spec.at("hosts", index),
                    f"there is no service {host}",
                    nearest_host(host, services),
                )
    for route in spec.http:
        _check_times(route, findings)


def _check_owners(virtual_services: VirtualServices, findings: Findings) -> None:
    """A host in the mesh has one VirtualService; and one without hosts is for others to delegate to."""
    owners: dict[tuple[str, tuple[str, ...]], Bound] = {}
    for bound in virtual_services.bound:
        for index, host in enumerate(bound.hosts if MESH in bound.gateways else ()):
            owner = owners.setdefault((host, bound.export_to), bound)
            if owner is not bound and bound.written is not None:
                what = f"{host} has a VirtualService already; in the mesh this one is not used for it"
                findings.warn(
                    codes.SECOND_VIRTUAL_SERVICE,
                    bound.written.spec.at("hosts", index),
                    what,
                    f"{owner.config} is older",
                )
    for key, delegate in virtual_services.delegates.items():
        if key not in virtual_services.used_delegates and delegate.where is not None:
            findings.warn(
                codes.IDLE_DELEGATE,
                delegate.where,
                "a VirtualService without hosts acts only where another delegates to it",
            )


def _check_times(route: HTTPRoute, findings: Findings) -> None:
    retries = route.retries
    if retries is None or not retries.per_try_timeout or not route.timeout:
        return
    tries = (retries.attempts or 0) + 1
    if tries * retries.per_try_timeout > route.timeout:
        what = f"{tries} tries of {retries.per_try_timeout:g} s do not fit into the timeout of {route.timeout:g} s"
        findings.warn(codes.TRIES_BEYOND_TIMEOUT, retries.at("per_try_timeout"), what, "the last tries never happen")


def _check_destination(destination: Destination, known: _Known, findings: Findings) -> None:
    service = known.services.get(destination.host)
    if service is None:
        findings.problem(
            destination.at("host"),
            f"there is no service {destination.host}",
            nearest_host(destination.host, known.services),
            codes.NO_SUCH_HOST,
        )
        return
    if destination.port is not None and service.port(destination.port.number) is None:
        numbers = ", ".join(str(port.number) for port in service.ports)
        what = f"service {service.host} has no port {destination.port.number}"
        findings.problem(destination.port.at("number"), what, f"its ports are {numbers}")
    if destination.subset:
        _check_subset(destination, service, known, findings)


def _check_subset(destination: Destination, service: Service, known: _Known, findings: Findings) -> None:
    subset = destination.subset or ""
    found = known.rules.subset_labels(service.host, subset)
    if not found:
        what = f"no DestinationRule defines subset {subset!r} of {service.host}"
        hint = nearest(subset, known.rules.subsets_of(service.host)) or "requests to it would get 503"
        findings.problem(destination.at("subset"), what, hint, codes.NO_SUCH_SUBSET)
        return
    if not any(known.holds(service, labels) for labels in found):
        what = f"subset {subset!r} of {service.host} selects no pod"
        findings.problem(
            destination.at("subset"), what, "compare the subset's labels with those of the pods", codes.EMPTY_SUBSET
        )


def _check_rule(rule: DestinationRule, services: Mapping[str, Service], findings: Findings) -> None:
    spec = rule.spec
    host = qualified(spec.host, rule.namespace)
    found = any(matches(each, host) for each in services) if is_wildcard(host) else host in services
    if not found:
        findings.warn(
            codes.RULE_FOR_NOBODY, spec.at("host"), f"there is no service {host}", nearest_host(host, services)
        )


def check_selectors(documents: Documents, root: str, index: SeatIndex, findings: Findings) -> None:
    """Policies that select no pod. `root`: the root namespace, whose policies select in all."""
    spaces = {seat.pod.namespace for seat in index.by_key.values()}
    policies: tuple[AuthorizationPolicy | PeerAuthentication | RequestAuthentication | Telemetry, ...] = (
        *documents.of(AuthorizationPolicy),
        *documents.of(PeerAuthentication),
        *documents.of(RequestAuthentication),
        *documents.of(Telemetry),
    )
    for written in policies:
        if isinstance(written.spec, Attached):
            _check_targets(written.namespace, written.spec, index, findings)
        selector = written.spec.selector
        if selector is None or not selector.match_labels:
            continue
        reach = spaces if written.namespace == root else {written.namespace}
        if not any(index.selected(space, selector.match_labels) for space in reach):
            findings.warn(
                codes.SELECTS_NOTHING, selector.at("match_labels"), f"no pod of {written.namespace} has these labels"
            )


def _check_targets(namespace: str, spec: Attached, index: SeatIndex, findings: Findings) -> None:
    for target in targets(spec):
        if not index.selected(namespace, {GATEWAY_NAME: target.name}):
            what = f"no pod of {namespace} serves a Gateway {target.name} of the Gateway API"
            findings.warn(codes.SELECTS_NOTHING, target.at("name"), what)
