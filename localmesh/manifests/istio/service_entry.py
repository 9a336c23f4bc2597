"""ServiceEntry and WorkloadEntry: services and endpoints that are not in Kubernetes (networking.istio.io)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from localmesh.manifests.istio.common import ServicePort, WorkloadSelector
from localmesh.manifests.record import Record, Resource, UInt32, empty_map

Location = Literal["MESH_EXTERNAL", "MESH_INTERNAL"]
Resolution = Literal["NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadEntrySpec(Record):
    """One endpoint; also the endpoints inside a ServiceEntry. `ports` maps a service's port name to a port here."""

    address: str | None = None
    ports: Mapping[str, UInt32] = empty_map()
    labels: Mapping[str, str] = empty_map()
    network: str | None = None
    locality: str | None = None
    weight: UInt32 | None = None
    service_account: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadEntry(Resource):
    """A WorkloadEntry document."""

    spec: WorkloadEntrySpec


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceEntrySpec(Record):
    """Hosts added to the registry, and how their endpoints are found. At most one of endpoints, workloadSelector."""

    hosts: tuple[str, ...]
    addresses: tuple[str, ...] = ()
    ports: tuple[ServicePort, ...] = ()
    location: Location | None = None
    resolution: Resolution | None = None
    endpoints: tuple[WorkloadEntrySpec, ...] = ()
    workload_selector: WorkloadSelector | None = None
    export_to: tuple[str, ...] = ()
    subject_alt_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceEntry(Resource):
    """A ServiceEntry document."""

    spec: ServiceEntrySpec
