"""EnvoyFilter: patches of the configuration that istiod generates (networking.istio.io/v1alpha3).

What a patch's `value` holds is a message of Envoy's API as JSON; it is read where it is applied.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from localmesh.manifests.istio.common import PolicyTargetReference, WorkloadSelector
from localmesh.manifests.record import Int32, Record, Resource, Struct, UInt32, empty_map

ApplyTo = Literal[
    "INVALID",
    "LISTENER",
    "FILTER_CHAIN",
    "NETWORK_FILTER",
    "HTTP_FILTER",
    "ROUTE_CONFIGURATION",
    "VIRTUAL_HOST",
    "HTTP_ROUTE",
    "CLUSTER",
    "EXTENSION_CONFIG",
    "BOOTSTRAP",
    "LISTENER_FILTER",
]
PatchContext = Literal["ANY", "SIDECAR_INBOUND", "SIDECAR_OUTBOUND", "GATEWAY", "WAYPOINT"]
Operation = Literal["INVALID", "MERGE", "ADD", "REMOVE", "INSERT_BEFORE", "INSERT_AFTER", "INSERT_FIRST", "REPLACE"]
RouteAction = Literal["ANY", "ROUTE", "REDIRECT", "DIRECT_RESPONSE"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyMatch(Record):
    """Which proxies: by a regular expression for Istio's version, and by node metadata."""

    proxy_version: str | None = None
    metadata: Mapping[str, str] = empty_map()


@dataclass(frozen=True, slots=True, kw_only=True)
class SubFilterMatch(Record):
    """An HTTP filter of a connection manager."""

    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterMatch(Record):
    """A network filter, and perhaps one within it."""

    name: str | None = None
    sub_filter: SubFilterMatch | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterChainMatch(Record):
    """A filter chain by what it takes, and perhaps a filter of it."""

    name: str | None = None
    sni: str | None = None
    transport_protocol: str | None = None
    application_protocols: str | None = None
    filter: FilterMatch | None = None
    destination_port: UInt32 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerMatch(Record):
    """A listener. `portName` is read by nobody (istiod's own rule)."""

    NO_LOCAL_MEANING: ClassVar[frozenset[str]] = frozenset({"portName"})

    port_number: UInt32 | None = None
    filter_chain: FilterChainMatch | None = None
    listener_filter: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteMatch(Record):
    """A route by name and by what it does."""

    name: str | None = None
    action: RouteAction | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualHostMatch(Record):
    """A virtual host, and perhaps a route of it."""

    name: str | None = None
    domain_name: str | None = None
    route: RouteMatch | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteConfigurationMatch(Record):
    """A route configuration; `portName` and `gateway` tell a gateway's TLS servers apart."""

    port_number: UInt32 | None = None
    port_name: str | None = None
    gateway: str | None = None
    vhost: VirtualHostMatch | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterMatch(Record):
    """A cluster by name, or by the service, port and subset that it stands for."""

    port_number: UInt32 | None = None
    service: str | None = None
    subset: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectMatch(Record):
    """Where a patch applies."""

    AT_MOST_ONE: ClassVar[tuple[tuple[str, ...], ...]] = (("listener", "route_configuration", "cluster"),)

    context: PatchContext | None = None
    proxy: ProxyMatch | None = None
    listener: ListenerMatch | None = None
    route_configuration: RouteConfigurationMatch | None = None
    cluster: ClusterMatch | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch(Record):
    """What is done. `filterClass` orders filters that Istio's own Wasm plugins would stand among."""

    NO_LOCAL_MEANING: ClassVar[frozenset[str]] = frozenset({"filterClass"})

    operation: Operation | None = None
    value: Struct | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigPatch(Record):
    """One patch."""

    apply_to: ApplyTo | None = None
    match: ObjectMatch | None = None
    patch: Patch | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvoyFilterSpec(Record):
    """Patches for some workloads; those of a lower priority come first."""

    AT_MOST_ONE: ClassVar[tuple[tuple[str, ...], ...]] = (("workload_selector", "target_refs"),)

    workload_selector: WorkloadSelector | None = None
    target_refs: tuple[PolicyTargetReference, ...] = ()
    config_patches: tuple[ConfigPatch, ...] = ()
    priority: Int32 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvoyFilter(Resource):
    """An EnvoyFilter document."""

    spec: EnvoyFilterSpec = field(default_factory=EnvoyFilterSpec)
