"""Service and EndpointSlice: names, ports and the endpoints behind them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from localmesh.manifests.record import Port, Record, Resource, UInt32, empty_map, json_named

PortProtocol = Literal["TCP", "UDP", "SCTP"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesServicePort(Record):
    """A port of a service; `target_port` is a number or a container port's name (the port itself when absent)."""

    NO_LOCAL_MEANING: ClassVar[frozenset[str]] = frozenset({"nodePort"})

    port: Port
    name: str | None = None
    protocol: PortProtocol | None = None
    target_port: int | str | None = None
    app_protocol: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSpec(Record):
    """`cluster_ip: None` (the text) makes it headless."""

    NO_LOCAL_MEANING: ClassVar[frozenset[str]] = frozenset(
        {
            "allocateLoadBalancerNodePorts",
            "externalIPs",
            "externalTrafficPolicy",
            "healthCheckNodePort",
            "ipFamilies",
            "ipFamilyPolicy",
            "loadBalancerClass",
            "loadBalancerIP",
            "loadBalancerSourceRanges",
            "sessionAffinity",
            "sessionAffinityConfig",
        }
    )

    type: Literal["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"] | None = None
    selector: Mapping[str, str] = empty_map()
    ports: tuple[KubernetesServicePort, ...] = ()
    cluster_ip: str | None = json_named("clusterIP")
    cluster_ips: tuple[str, ...] = json_named("clusterIPs", ())
    external_name: str | None = None
    publish_not_ready_addresses: bool = False
    internal_traffic_policy: Literal["Cluster", "Local"] | None = None
    traffic_distribution: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Service(Resource):
    """A Service document. The annotation `networking.istio.io/exportTo` limits who sees it."""

    spec: ServiceSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointConditions(Record):
    """Absent conditions count as ready."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRef(Record):
    """The pod behind an endpoint."""

    NO_LOCAL_MEANING: ClassVar[frozenset[str]] = frozenset({"apiVersion", "fieldPath", "resourceVersion", "uid"})

    kind: str | None = None
    name: str | None = None
    namespace: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint(Record):
    """Addresses that serve together."""

    NO_LOCAL_MEANING: ClassVar[frozenset[str]] = frozenset({"deprecatedTopology", "hints"})

    addresses: tuple[str, ...]
    conditions: EndpointConditions | None = None
    hostname: str | None = None
    node_name: str | None = None
    zone: str | None = None
    target_ref: TargetRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointPort(Record):
    """A port of all endpoints of the slice, by the name that the service gives it."""

    name: str | None = None
    port: UInt32 | None = None
    protocol: PortProtocol | None = None
    app_protocol: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSlice(Resource):
    """An EndpointSlice document; the label `kubernetes.io/service-name` names its service."""

    address_type: Literal["IPv4", "IPv6", "FQDN"]
    endpoints: tuple[Endpoint, ...] = ()
    ports: tuple[EndpointPort, ...] = ()
