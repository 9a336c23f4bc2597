"""Kubernetes Services and their endpoints -> the services of the mesh."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from localmesh import codes
from localmesh.errors import Where
from localmesh.manifests.documents import Documents
from localmesh.manifests.kubernetes import EndpointSlice
from localmesh.manifests.kubernetes import Service as WrittenService
from localmesh.manifests.kubernetes.service import Endpoint as WrittenEndpoint
from localmesh.manifests.kubernetes.service import KubernetesServicePort
from localmesh.mesh.identity import Labels
from localmesh.mesh.pods import Pod, Proxy
from localmesh.mesh.security import Mtls
from localmesh.mesh.services import Endpoint, Resolution, Service, ServicePort
from localmesh.resolve.findings import Findings, nearest
from localmesh.resolve.hosts import service_host
from localmesh.resolve.peer_authentication import PeerAuthentications
from localmesh.resolve.pods import GATEWAY_NAME, TLS_MODE, Seat
from localmesh.resolve.protocols import protocol_of
from localmesh.resolve.selection import age, selects

EXPORT_TO = "networking.istio.io/exportTo"
SLICE_SERVICE = "kubernetes.io/service-name"


@dataclass(frozen=True, slots=True)
class Registered:
    """A service, who may see it, and which pods stand behind it (which is more than its endpoints: all it selects)."""

    service: Service
    export_to: tuple[str, ...]
    selector: Labels = field(default_factory=dict)
    # Service port number -> the workload port of one pod.
    target: Callable[[int, Seat], int | None] = lambda number, seat: number
    age: tuple[str, str, str] = ("", "", "")
    where: Where | None = None


class SeatIndex:
    """Pods by namespace and label, so that a selector looks at its own few pods only."""

    def __init__(self, seats: Iterable[Seat]) -> None:
        self._by_label: dict[tuple[str, str, str], list[Seat]] = defaultdict(list)
        self.by_key: dict[str, Seat] = {}
        self.by_address: dict[str, Seat] = {}
        for seat in seats:
            self.by_key[seat.pod.key] = seat
            self.by_address[seat.pod.address] = seat
            for key, value in seat.pod.labels.items():
                self._by_label[seat.pod.namespace, key, value].append(seat)

    def selected(self, namespace: str, selector: Labels) -> list[Seat]:
        """The pods of a namespace with all these labels; an empty selector selects none, as in a Service."""
        if not selector:
            return []
        lists = (self._by_label.get((namespace, key, value), []) for key, value in selector.items())
        fewest = min(lists, key=len)
        return [seat for seat in fewest if selects(selector, seat.pod.labels)]


def kubernetes_services(
    documents: Documents,
    seats: SeatIndex,
    authentications: PeerAuthentications,
    export_default: tuple[str, ...],
    findings: Findings,
    *,
    from_cluster: bool,
) -> tuple[Registered, ...]:
    """All Services, by host. In a cluster's documents EndpointSlices are the endpoints, else selectors find them."""
    slices: dict[tuple[str, str], list[EndpointSlice]] = defaultdict(list)
    for part in documents.of(EndpointSlice):
        slices[part.namespace, part.metadata.labels.get(SLICE_SERVICE, "")].append(part)
    written = sorted(documents.of(WrittenService), key=lambda each: (each.namespace, each.name))
    addresses = _Addresses(written)
    found = []
    for each in written:
        if each.spec.type == "ExternalName":  # an alias for the resolver, no service that a proxy would know
            continue
        builder = _Builder(each, seats, authentications, findings)
        endpoints = (
            builder.from_slices(slices[each.namespace, each.name])
            if from_cluster or slices[each.namespace, each.name]
            else builder.from_selector()
        )
        found.append(builder.registered(endpoints, addresses.of(each), export_default))
    return tuple(sorted(found, key=lambda each: (each.age[0], each.service.host)))


class _Addresses:
    """Cluster IPs: as written, or 10.96.0.n for those that a cluster would give when they are applied."""

    def __init__(self, services: Iterable[WrittenService]) -> None:
        self._taken = {each.spec.cluster_ip for each in services}
        self._next = 1

    def of(self, service: WrittenService) -> tuple[str, ...]:
        if service.spec.cluster_ip == "None":
            return ()
        if service.spec.cluster_ip:
            return service.spec.cluster_ips or (service.spec.cluster_ip,)
        while True:
            high, low = divmod(self._next, 250)
            address = f"10.96.{high}.{low + 1}"
            self._next += 1
            if address not in self._taken:
                return (address,)


@dataclass(frozen=True, slots=True)
class _Builder:
    """One Service on its way into the mesh."""

    written: WrittenService
    seats: SeatIndex
    authentications: PeerAuthentications
    findings: Findings

    @property
    def ports(self) -> list[KubernetesServicePort]:
        return [each for each in self.written.spec.ports if (each.protocol or "TCP") == "TCP"]

    def from_selector(self) -> dict[int, tuple[Endpoint, ...]]:
        spec = self.written.spec
        seats = self.seats.selected(self.written.namespace, spec.selector)
        if spec.selector and not seats:
            labels = ", ".join(f"{key}={value}" for key, value in spec.selector.items())
            self.findings.warn(
                codes.SERVICE_WITHOUT_PODS,
                spec.at("selector"),
                f"the selector ({labels}) matches no pod of {self.written.namespace}",
            )
        endpoints = {}
        for port in self.ports:
            targets = ((seat, self._target(port, seat)) for seat in seats)
            endpoints[port.port] = tuple(
                self._endpoint(seat, target, ready=seat.pod.ready or spec.publish_not_ready_addresses)
                for seat, target in targets
                if target is not None
            )
            if seats and not endpoints[port.port]:
                self._report_port_name(port, seats)
        return endpoints

    def from_slices(self, slices: Iterable[EndpointSlice]) -> dict[int, tuple[Endpoint, ...]]:
        endpoints: dict[int, list[Endpoint]] = {port.port: [] for port in self.ports}
        for each in slices:
            numbers = {port.name or "": port.port for port in each.ports}
            for port in self.ports:
                number = numbers.get(port.name or "")
                if number is not None:
                    endpoints[port.port] += [self._from_slice(end, number) for end in each.endpoints if end.addresses]
        return {port: tuple(found) for port, found in endpoints.items()}

    def registered(
        self, endpoints: Mapping[int, tuple[Endpoint, ...]], addresses: tuple[str, ...], export_default: tuple[str, ...]
    ) -> Registered:
        written = self.written
        identities = {end.identity for ends in endpoints.values() for end in ends if end.identity is not None}
        annotation = written.metadata.annotations.get(EXPORT_TO, "")
        headless = written.spec.cluster_ip == "None"
        service = Service(
            host=service_host(written.name, written.namespace),
            name=written.name,
            namespace=written.namespace,
            ports=tuple(self._port(each, endpoints[each.port]) for each in self.ports),
            resolution=Resolution.PASSTHROUGH if headless else Resolution.ENDPOINTS,
            addresses=addresses,
            endpoints=dict(endpoints),
            identities=tuple(sorted(identities)),
            labels=written.metadata.labels,
        )
        by_number = {each.port: each for each in self.ports}
        return Registered(
            service,
            tuple(each.strip() for each in annotation.split(",") if each.strip()) or export_default,
            written.spec.selector,
            lambda number, seat: self._target(by_number[number], seat),
            age(written),
            written.where,
        )

    def _port(self, port: KubernetesServicePort, endpoints: tuple[Endpoint, ...]) -> ServicePort:
        protocol = protocol_of(port.port, port.name or "", port.protocol or "TCP", port.app_protocol)
        target: int | None = port.target_port if isinstance(port.target_port, int) else port.port
        if isinstance(port.target_port, str):
            numbers = {each.port for each in endpoints}
            target = numbers.pop() if len(numbers) == 1 else None
        return ServicePort(port.port, port.name or "", protocol, target)

    def _target(self, port: KubernetesServicePort, seat: Seat) -> int | None:
        if isinstance(port.target_port, str):
            return seat.ports.get(port.target_port)
        return port.target_port or port.port

    def _report_port_name(self, port: KubernetesServicePort, seats: list[Seat]) -> None:
        known = {name for seat in seats for name in seat.ports}
        what = f"no pod of the service has a port named {port.target_port!r}"
        self.findings.problem(port.at("target_port"), what, nearest(str(port.target_port), known))

    def _from_slice(self, written: WrittenEndpoint, port: int) -> Endpoint:
        conditions = written.conditions
        ready = conditions is None or conditions.ready is not False
        ref = written.target_ref
        seat = None
        if ref is not None and ref.kind == "Pod":
            seat = self.seats.by_key.get(f"{ref.namespace or self.written.namespace}/{ref.name}")
        if seat is not None:
            return self._endpoint(seat, port, ready=ready, address=written.addresses[0])
        return Endpoint(written.addresses[0], port, ready=ready)

    def _endpoint(self, seat: Seat, port: int, *, ready: bool, address: str = "") -> Endpoint:
        pod = seat.pod
        return Endpoint(
            address=address or pod.address,
            port=port,
            labels=pod.labels,
            identity=pod.identity,
            mtls=takes_mtls(pod, port, self.authentications),
            locality=pod.locality,
            ready=ready,
            workload=pod.workload,
            namespace=pod.namespace,
            pod=pod.name,
            node=seat.node,
        )


def takes_mtls(pod: Pod, port: int, authentications: PeerAuthentications) -> bool:
    """Whether this port's proxy takes mTLS: there is one, and no PeerAuthentication disables it.

    What Istio deploys for a Gateway of the Gateway API is not injected, and has no label that says so.
    """
    labelled = pod.labels.get(TLS_MODE, "" if GATEWAY_NAME in pod.labels else "istio") == "istio"
    return (
        pod.proxy is not Proxy.NONE
        and labelled
        and authentications.modes(pod.namespace, pod.labels).of(port) is not Mtls.DISABLE
    )
