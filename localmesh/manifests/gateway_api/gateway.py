"""GatewayClass and Gateway: who runs gateways, and what each listens on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from localmesh.manifests.gateway_api.common import GROUP
from localmesh.manifests.kubernetes.workload import PodSelector
from localmesh.manifests.record import Port, Record, Resource, empty_map


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayClassSpec(Record):
    """The controller that runs Gateways of this class."""

    NO_LOCAL_MEANING: ClassVar[frozenset[str]] = frozenset({"description"})

    controller_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayClass(Resource):
    """A GatewayClass document. The class `istio` exists without one."""

    spec: GatewayClassSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretObjectReference(Record):
    """A Secret with a certificate; of another namespace only with a ReferenceGrant there."""

    name: str
    group: str = ""
    kind: str = "Secret"
    namespace: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerTLS(Record):
    """How a listener ends TLS. Istio's option `gateway.istio.io/tls-terminate-mode` asks for client certificates."""

    mode: Literal["Terminate", "Passthrough"] = "Terminate"
    certificate_refs: tuple[SecretObjectReference, ...] = ()
    options: Mapping[str, str] = empty_map()


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteNamespaces(Record):
    """The namespaces whose routes may attach."""

    from_: Literal["All", "Same", "Selector", "None"] = "Same"
    selector: PodSelector | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteGroupKind(Record):
    """A kind of route."""

    kind: str
    group: str = GROUP


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedRoutes(Record):
    """Which routes may attach; without `kinds`, those that the protocol knows."""

    namespaces: RouteNamespaces = field(default_factory=RouteNamespaces)
    kinds: tuple[RouteGroupKind, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener(Record):
    """A port with a protocol and, if it is not for all, a host name (`*.example.com` too)."""

    name: str
    port: Port
    protocol: str
    hostname: str | None = None
    tls: ListenerTLS | None = None
    allowed_routes: AllowedRoutes = field(default_factory=AllowedRoutes)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayAddress(Record):
    """A `Hostname` is the Service of a gateway that is deployed by hand; an IP address is asked of the cluster."""

    type: str = "IPAddress"
    value: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Infrastructure(Record):
    """Labels and annotations of what is deployed for the Gateway."""

    labels: Mapping[str, str] = empty_map()
    annotations: Mapping[str, str] = empty_map()


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesGatewaySpec(Record):
    """The class and the listeners."""

    gateway_class_name: str
    listeners: tuple[Listener, ...] = ()
    addresses: tuple[GatewayAddress, ...] = ()
    infrastructure: Infrastructure = field(default_factory=Infrastructure)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway(Resource):
    """A Gateway document. Istio deploys `<name>-<class>` for it, unless an address names a Service."""

    spec: KubernetesGatewaySpec
