"""Sidecar: which listeners a workload's proxy has and which services it sees (networking.istio.io)."""

from dataclasses import dataclass, field
from typing import Literal

from localmesh.manifests.istio.common import Destination, ServerTLSSettings, SidecarPort, WorkloadSelector
from localmesh.manifests.istio.destination_rule import ConnectionPoolSettings
from localmesh.manifests.record import Record, Resource

CaptureMode = Literal["DEFAULT", "IPTABLES", "NONE"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IstioIngressListener(Record):
    """A listener for calls to the workload; `default_endpoint` is where they go."""

    port: SidecarPort
    bind: str | None = None
    capture_mode: CaptureMode | None = None
    default_endpoint: str | None = None
    tls: ServerTLSSettings | None = None
    connection_pool: ConnectionPoolSettings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IstioEgressListener(Record):
    """The hosts (`namespace/dnsName`) that the workload may call, for one port or for all others."""

    hosts: tuple[str, ...]
    port: SidecarPort | None = None
    bind: str | None = None
    capture_mode: CaptureMode | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundTrafficPolicy(Record):
    """What happens to calls to unknown hosts."""

    mode: Literal["REGISTRY_ONLY", "ALLOW_ANY"] | None = None
    egress_proxy: Destination | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SidecarSpec(Record):
    """Without a selector it is the default of its namespace; in the root namespace, of the mesh."""

    workload_selector: WorkloadSelector | None = None
    ingress: tuple[IstioIngressListener, ...] = ()
    egress: tuple[IstioEgressListener, ...] = ()
    inbound_connection_pool: ConnectionPoolSettings | None = None
    outbound_traffic_policy: OutboundTrafficPolicy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar(Resource):
    """A Sidecar document."""

    spec: SidecarSpec = field(default_factory=SidecarSpec)
