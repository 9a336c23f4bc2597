"""ServiceEntries and WorkloadEntries -> services that Kubernetes does not know."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from localmesh.manifests.documents import Documents
from localmesh.manifests.istio import ServiceEntry, WorkloadEntry
from localmesh.manifests.istio.common import ServicePort as WrittenPort
from localmesh.manifests.istio.service_entry import WorkloadEntrySpec
from localmesh.mesh.identity import Identity, Labels
from localmesh.mesh.security import Mtls
from localmesh.mesh.services import Endpoint, Resolution, Service, ServicePort
from localmesh.resolve.findings import Findings
from localmesh.resolve.peer_authentication import PeerAuthentications
from localmesh.resolve.pods import TLS_MODE, Seat, locality
from localmesh.resolve.protocols import parse
from localmesh.resolve.selection import age, oldest_first
from localmesh.resolve.services import Registered, SeatIndex, takes_mtls
from localmesh.resolve.settings import Settings

RESOLUTIONS = {
    "NONE": Resolution.PASSTHROUGH,
    "STATIC": Resolution.ENDPOINTS,
    "DNS": Resolution.DNS,
    "DNS_ROUND_ROBIN": Resolution.DNS_ROUND_ROBIN,
}
DNS = {Resolution.DNS, Resolution.DNS_ROUND_ROBIN}


def entry_services(
    documents: Documents,
    seats: SeatIndex,
    authentications: PeerAuthentications,
    settings: Settings,
    findings: Findings,
) -> tuple[Registered, ...]:
    """A service for each host of each ServiceEntry, the oldest first."""
    entries = oldest_first(documents.of(WorkloadEntry))
    found: list[Registered] = []
    for written in oldest_first(documents.of(ServiceEntry)):
        if written.spec.resolution == "DYNAMIC_DNS":
            continue  # refused by name
        for each in written.spec.endpoints:
            if not each.address:
                findings.unsupported(each.where, "an endpoint behind the gateway of another network")
        builder = _Builder(written, seats, tuple(entries), authentications, settings)
        found += [builder.registered(host) for host in written.spec.hosts]
    return tuple(found)


def joined(kubernetes: Iterable[Registered], entries: Iterable[Registered]) -> tuple[Registered, ...]:
    """All services by age and host; a ServiceEntry for a host that is a Service already adds to it."""
    by_host: dict[str, Registered] = {}
    for each in (*kubernetes, *entries):
        known = by_host.get(each.service.host)
        by_host[each.service.host] = each if known is None else _both(known, each)
    return tuple(sorted(by_host.values(), key=lambda each: (each.age[0], each.service.host)))


def _both(known: Registered, other: Registered) -> Registered:
    """One service of two documents: endpoints and ports of both, and at each port the addresses of the younger one."""
    service, added = known.service, other.service
    ports = service.ports + tuple(each for each in added.ports if service.port(each.number) is None)
    endpoints = {
        each.number: added.endpoints.get(each.number, ()) + service.endpoints.get(each.number, ()) for each in ports
    }
    younger = added if other.age[0] >= known.age[0] else service
    addresses = service.addresses_at | {each.number: younger.addresses for each in added.ports}

    def target(number: int, seat: Seat) -> int | None:
        return (known if service.port(number) else other).target(number, seat)

    both = replace(service, ports=ports, endpoints=endpoints, addresses_at=addresses)
    return replace(known, service=both, target=target)


@dataclass(frozen=True, slots=True)
class _Builder:
    """One ServiceEntry on its way into the mesh."""

    written: ServiceEntry
    seats: SeatIndex
    entries: tuple[WorkloadEntry, ...]
    authentications: PeerAuthentications
    settings: Settings

    def registered(self, host: str) -> Registered:
        spec = self.written.spec
        resolution = RESOLUTIONS[spec.resolution or "NONE"]
        endpoints = {port.number: tuple(self._endpoints(port, host, resolution)) for port in spec.ports}
        identities = {end.identity for some in endpoints.values() for end in some if end.identity is not None}
        service = Service(
            host=host,
            name=host,
            namespace=self.written.namespace,
            ports=tuple(_port(each) for each in spec.ports),
            resolution=resolution,
            addresses=spec.addresses,
            endpoints=endpoints,
            identities=tuple(sorted(identities)),
            subject_alt_names=spec.subject_alt_names,
            external=spec.location != "MESH_INTERNAL",
            labels=self.written.metadata.labels,
        )
        targets = {port.number: port.target_port or port.number for port in spec.ports}
        return Registered(
            service,
            spec.export_to or self.settings.service_export_to,
            self._selector,
            lambda number, _seat: targets.get(number),
            age(self.written),
            self.written.where,
        )

    @property
    def _selector(self) -> Labels:
        selector = self.written.spec.workload_selector
        return selector.labels if selector else {}

    def _endpoints(self, port: WrittenPort, host: str, resolution: Resolution) -> Iterator[Endpoint]:
        spec = self.written.spec
        if resolution is Resolution.PASSTHROUGH:
            return
        if resolution in DNS and not spec.endpoints and not self._selector:
            yield self._endpoint(WorkloadEntrySpec(address=host), port, self.written.name)
        for index, each in enumerate(spec.endpoints):
            if each.address:  # else it is behind the gateway of another network, and there is none here
                yield self._endpoint(each, port, f"{self.written.name}-{index}")
        if self._selector:
            selected = sorted(self._selected(port), key=lambda each: each.address)
            yield from selected[:1] if resolution is Resolution.DNS_ROUND_ROBIN else selected

    def _selected(self, port: WrittenPort) -> Iterator[Endpoint]:
        namespace, selector = self.written.namespace, self._selector
        for seat in self.seats.selected(namespace, selector):
            yield self._of_seat(seat, port)
        for entry in self.entries:
            if entry.spec.address and entry.namespace == namespace and selector.items() <= entry.spec.labels.items():
                yield self._endpoint(entry.spec, port, entry.name)

    def _of_seat(self, seat: Seat, port: WrittenPort) -> Endpoint:
        pod, number = seat.pod, port.target_port or port.number
        return Endpoint(
            address=pod.address,
            port=number,
            labels=pod.labels,
            identity=pod.identity,
            mtls=takes_mtls(pod, number, self.authentications),
            locality=pod.locality,
            ready=pod.ready,
            workload=pod.workload,
            namespace=pod.namespace,
            pod=pod.name,
            node=seat.node,
        )

    def _endpoint(self, written: WorkloadEntrySpec, port: WrittenPort, name: str) -> Endpoint:
        address = written.address or ""
        is_socket = address.startswith("unix://")
        number = 0 if is_socket else written.ports.get(port.name) or port.target_port or port.number
        account = written.service_account
        namespace = self.written.namespace
        return Endpoint(
            address=address.removeprefix("unix://"),
            port=number,
            labels=written.labels,
            identity=Identity(self.settings.trust_domain, namespace, account) if account else None,
            mtls=self._takes_mtls(written, number),
            locality=locality(written.locality or ""),
            weight=written.weight or 1,
            workload=name,
            namespace=namespace,
            network=written.network or "",
        )

    def _takes_mtls(self, written: WorkloadEntrySpec, number: int) -> bool:
        """As its label says; without one, whatever has a service account is taken to have a proxy."""
        mode = written.labels.get(TLS_MODE, "istio" if written.service_account else "")
        modes = self.authentications.modes(self.written.namespace, written.labels)
        return mode == "istio" and modes.of(number) is not Mtls.DISABLE


def _port(written: WrittenPort) -> ServicePort:
    protocol = parse(written.protocol or written.name)
    return ServicePort(written.number, written.name, protocol, written.target_port or written.number)
