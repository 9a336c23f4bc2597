"""Sidecars: what of the mesh a workload's proxy knows, and how calls reach the workload.

One of a workload's own labels counts before its namespace's, and that before the root namespace's; they are never
merged. Its egress hosts say which services and VirtualServices exist for the workload at all.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from localmesh import codes
from localmesh.manifests.documents import Documents
from localmesh.manifests.istio import Sidecar
from localmesh.manifests.istio.destination_rule import ConnectionPoolSettings
from localmesh.manifests.istio.sidecar import IstioIngressListener
from localmesh.mesh.identity import Labels
from localmesh.mesh.pods import Pod
from localmesh.mesh.routes import Target
from localmesh.mesh.services import Service
from localmesh.resolve.findings import Findings
from localmesh.resolve.hosts import matches
from localmesh.resolve.protocols import parse
from localmesh.resolve.selection import Selected, oldest_first
from localmesh.resolve.virtual_services import Bound, Seen, indexed
from localmesh.resolve.visibility import Visibility


@dataclass(frozen=True, slots=True)
class Scope:
    """What a client's proxy knows."""

    services: Mapping[str, Service]
    seen: Seen
    # Known as clusters only: a VirtualService in scope leads there.
    beyond: Mapping[str, Service]
    allow_any: bool


class Sidecars:
    """All Sidecars, by where they apply."""

    def __init__(self, documents: Documents, root_namespace: str, findings: Findings) -> None:
        self._root = root_namespace
        self._workloads: Selected[Sidecar] = Selected()
        self._namespaces: dict[str, Sidecar] = {}
        self.selector_labels: set[str] = set()
        for each in oldest_first(documents.of(Sidecar)):
            selector = each.spec.workload_selector
            if selector is not None and selector.labels:
                self._workloads.add(each.namespace, selector.labels, each)
                self.selector_labels |= set(selector.labels)
            else:
                self._namespaces.setdefault(each.namespace, each)
            _check_tls(each, findings)

    def of(self, namespace: str, labels: Labels) -> Sidecar | None:
        """The one Sidecar of a workload; None: it knows everything that it may see."""
        own = next(iter(self._workloads.of(namespace, labels)), None)
        return own or self._namespaces.get(namespace) or self._namespaces.get(self._root)


def check_egress(documents: Documents, visibility: Visibility, findings: Findings) -> None:
    """The egress listeners of all Sidecars."""
    for sidecar in documents.of(Sidecar):
        _check_protocols(sidecar, visibility.of(sidecar.namespace), findings)


def _check_protocols(sidecar: Sidecar, visible: Mapping[str, Service], findings: Findings) -> None:
    """An egress listener that speaks otherwise than the services that it is for would be another kind of listener."""
    for listener in sidecar.spec.egress:
        port = listener.port
        if port is None or port.number is None:
            continue
        spoken = parse(port.protocol or "")
        imports = [one for one in _imports(sidecar, sidecar.namespace) if one.port == port.number]
        services = [found for each in visible.values() if (found := _imported(each, imports)) is not None]
        others = [each.host for each in services if each.ports[0].protocol.is_http != spoken.is_http]
        if others or (port.protocol or "").upper() == "HTTP_PROXY":
            why = f"{', '.join(sorted(others)[:3])} speaks otherwise at this port" if others else "use HTTP"
            findings.unsupported(port.at("protocol"), f"egress[].port.protocol: {port.protocol}", why)


def check_spans(sidecar: Sidecar, pod: Pod, findings: Findings) -> None:
    """A proxy that does not know the collector serves on, and its spans are lost: istiod adds nothing to the hosts."""
    for how in (pod.server_telemetry.tracing, pod.client_telemetry.tracing):
        if how is not None and (to := how.provider) and Target(to.host, to.port) not in pod.outbound.by_target:
            findings.warn(
                codes.NO_COLLECTOR,
                sidecar.spec.egress[0].where if sidecar.spec.egress else sidecar.where,
                f"spans of its workloads are lost: {to.host} is not among its hosts",
            )


def scope(sidecar: Sidecar | None, namespace: str, whole: Scope) -> Scope:
    """`whole` (what the namespace may see) cut down to the Sidecar's egress hosts."""
    if sidecar is None:
        return whole
    policy = sidecar.spec.outbound_traffic_policy
    allow_any = whole.allow_any if policy is None or policy.mode is None else policy.mode == "ALLOW_ANY"
    if not sidecar.spec.egress:
        return replace(whole, allow_any=allow_any)
    imports = tuple(_imports(sidecar, namespace))
    services = {
        host: known for host, service in whole.services.items() if (known := _imported(service, imports)) is not None
    }
    bound = [each for each in whole.seen.bound if any(_overlaps(host, each, imports) for host in each.hosts)]
    beyond = {
        host: _with_ports(whole.services[host], ports)
        for host, ports in _targets(bound).items()
        if host in whole.services and host not in services
    }
    return Scope(services, indexed(bound), beyond, allow_any)


def app_address(ingress: IstioIngressListener, pod_address: str) -> str:
    """Where the app listens, as the mesh writes it: `unix:/path` or `address:port`. "": on its own port."""
    endpoint = ingress.default_endpoint or ""
    if endpoint.startswith("unix://"):
        return f"unix:{endpoint.removeprefix('unix://')}"
    address, _, port = endpoint.rpartition(":")
    return f"{pod_address}:{port}" if address in {"0.0.0.0", "[::]"} else endpoint  # noqa: S104


def inbound_pool(sidecar: Sidecar | None, ingress: IstioIngressListener | None) -> ConnectionPoolSettings | None:
    """The pool that a Sidecar sets for calls to its workload; it counts before any DestinationRule's."""
    own = ingress.connection_pool if ingress else None
    return own or (sidecar.spec.inbound_connection_pool if sidecar else None)


@dataclass(frozen=True, slots=True)
class _Import:
    """One egress host: a namespace or `*`, a host, and the port of its listener (None: all ports)."""

    namespace: str
    host: str
    port: int | None = None


def _imports(sidecar: Sidecar, namespace: str) -> Iterator[_Import]:
    for listener in sidecar.spec.egress:
        port = listener.port.number if listener.port else None
        for written in listener.hosts:
            owner, _, host = written.partition("/")
            yield _Import(namespace if owner == "." else owner, host, port)


def _imported(service: Service, imports: Iterable[_Import]) -> Service | None:
    """What is known of a service: all of it, or the ports of the listeners that name it, or nothing (None)."""
    naming = [one for one in imports if one.namespace in {"*", service.namespace} and matches(service.host, one.host)]
    if any(one.port is None for one in naming):
        return service
    numbers = {one.port for one in naming}
    ports = tuple(port for port in service.ports if port.number in numbers)
    return replace(service, ports=ports) if ports else None


def _overlaps(host: str, bound: Bound, imports: Iterable[_Import]) -> bool:
    return any(
        one.namespace in {"*", bound.namespace}
        and (matches(host, one.host) or (not bound.gateway_api and matches(one.host, host)))
        for one in imports
    )


def _targets(bound: Iterable[Bound]) -> Mapping[str, set[int]]:
    """The hosts that VirtualServices lead to, with their ports; 0 stands for a destination without one."""
    found: dict[str, set[int]] = defaultdict(set)
    for each in (destination for one in bound for destination in one.destinations()):
        found[each.host].add(each.port.number if each.port else 0)
    return found


def _with_ports(service: Service, numbers: set[int]) -> Service:
    return service if 0 in numbers else replace(service, ports=tuple(p for p in service.ports if p.number in numbers))


def _check_tls(sidecar: Sidecar, findings: Findings) -> None:
    for ingress in sidecar.spec.ingress:
        if ingress.tls is not None:
            what = "Istio ignores tls of an ingress listener unless its experimental flag is set"
            findings.warn(codes.INGRESS_TLS_IGNORED, ingress.at("tls"), what)
