"""Fields that are valid, that a cluster honours, and that localmesh does not compile: each is refused by name.

One table says which and why. `docs/supported.md` is made of it, of `manifests.unsupported` (what is not even decoded)
and of the records themselves.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from localmesh.errors import Where
from localmesh.manifests.documents import Documents
from localmesh.manifests.istio.common import ServerTLSSettings
from localmesh.manifests.istio.destination_rule import HTTPCookie, TrafficPolicy
from localmesh.manifests.istio.security import AuthorizationPolicySpec, RequestAuthenticationSpec, Source
from localmesh.manifests.istio.service_entry import ServiceEntrySpec
from localmesh.manifests.istio.sidecar import IstioEgressListener, IstioIngressListener, OutboundTrafficPolicy
from localmesh.manifests.istio.telemetry import CustomTag, TelemetrySpec, Tracing
from localmesh.manifests.istio.virtual_service import Abort, Delay
from localmesh.manifests.kubernetes.container import EnvVarSource
from localmesh.manifests.kubernetes.volume import Projection, Volume
from localmesh.manifests.mesh_config import MeshConfig, OutboundPolicy, ProxyConfigSettings
from localmesh.manifests.providers import ExtensionProvider, OpenTelemetryTracing
from localmesh.manifests.record import Record, inner_records, spelled
from localmesh.resolve.findings import Findings

_NOT_YET = "not compiled yet"
_GATEWAY_API = "the Kubernetes Gateway API is not compiled yet: use a selector"
_NO_METRICS = "metrics are Envoy's own here: Istio's come from a filter that only Istio's build of Envoy has"
_OTLP = "spans are sent by OTLP over gRPC only: use an opentelemetry provider"
_NO_LIMITS = "a process here has no limits"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A field (Python's spelling) of a record. With `values`, only these are refused; `name` is how it is called."""

    record: type[Record]
    field: str
    why: str = _NOT_YET
    values: frozenset[str] = frozenset()
    name: str = ""

    @property
    def spelled(self) -> str:
        """The field as it is written in YAML."""
        cls: type = self.record
        return spelled(cls)[self.field]

    def of(self, record: Record) -> tuple[str, Where] | None:
        """What is refused in this record and where it is written; None where it is not."""
        value = getattr(record, self.field)
        if not value or (self.values and value not in self.values):
            return None
        name = f"{self.spelled}: {value}" if self.values else self.name or self.spelled
        return name, record.at(self.field)


def _targets(*records: type[Record]) -> Iterator[Refusal]:
    for record in records:
        for field in ("target_ref", "target_refs"):
            yield Refusal(record, field, _GATEWAY_API, name="targetRef")


def _fields(record: type[Record], why: str, *fields: str) -> Iterator[Refusal]:
    for field in fields:
        yield Refusal(record, field, why)


REFUSED: tuple[Refusal, ...] = (
    # routes and destinations
    Refusal(Abort, "http2_error", "Envoy has no such fault, and Istio does not read it"),
    Refusal(Delay, "exponential_delay", "Envoy has no such fault, and Istio does not read it"),
    Refusal(TrafficPolicy, "tunnel"),
    Refusal(HTTPCookie, "attributes"),
    Refusal(ServiceEntrySpec, "resolution", values=frozenset({"DYNAMIC_DNS"})),
    # gateways
    *_fields(ServerTLSSettings, _NOT_YET, "ca_crl", "credential_names", "ca_cert_credential_name", "tls_certificates"),
    # sidecars
    Refusal(OutboundTrafficPolicy, "egress_proxy"),
    Refusal(IstioEgressListener, "port", name="egress[].port"),
    Refusal(IstioEgressListener, "bind", name="egress[].bind"),
    Refusal(IstioEgressListener, "capture_mode", "what a pod dials is always captured here", frozenset({"NONE"})),
    Refusal(IstioIngressListener, "capture_mode", "what reaches a pod is always captured here", frozenset({"NONE"})),
    Refusal(IstioIngressListener, "bind", name="ingress[].bind"),
    # security
    *_targets(AuthorizationPolicySpec, RequestAuthenticationSpec, TelemetrySpec),
    *_fields(Source, _NOT_YET, "trust_domains", "not_trust_domains"),
    # telemetry
    Refusal(TelemetrySpec, "metrics", _NO_METRICS),
    Refusal(Tracing, "disable_context_propagation"),
    Refusal(CustomTag, "formatter"),
    # the mesh configuration
    *_fields(
        MeshConfig,
        _NOT_YET,
        "inbound_traffic_policy",
        "service_settings",
        "mesh_mtls",
        "tls_defaults",
        "protocol_detection_timeout",
    ),
    Refusal(MeshConfig, "access_log_encoding", "name a provider with logFormat.labels", frozenset({"JSON"})),
    Refusal(OutboundPolicy, "mode", values=frozenset({"ALLOW_ANY_DYNAMIC_DNS"})),
    *_fields(ProxyConfigSettings, _NOT_YET, "gateway_topology", "proxy_headers"),
    # extension providers, where something names them
    *_fields(
        ExtensionProvider, _OTLP, "zipkin", "datadog", "skywalking", "lightstep", "stackdriver", "opencensus", "sds"
    ),
    *_fields(
        ExtensionProvider,
        "access logs are written to files only: use an envoyFileAccessLog provider",
        "envoy_http_als",
        "envoy_tcp_als",
        "envoy_otel_als",
    ),
    *_fields(OpenTelemetryTracing, _OTLP, "http"),
    *_fields(OpenTelemetryTracing, _NOT_YET, "resource_detectors", "dynatrace_sampler"),
    # pods that run here
    *_fields(Volume, "use a configMap, secret, emptyDir or persistentVolumeClaim", "host_path", "downward_api"),
    *_fields(Projection, "use a secret or configMap", "downward_api", "service_account_token"),
    Refusal(EnvVarSource, "resource_field_ref", _NO_LIMITS),
)


def refuse_in_documents(documents: Documents, findings: Findings) -> None:
    """Everything of this kind in Istio's documents. Pods and providers are looked at where they are used."""
    for resource in documents.resources:
        if not _of_kubernetes(type(resource)):
            refuse(resource, findings)
    if documents.mesh_config is not None:
        refuse(documents.mesh_config, findings)


def refuse(record: Record, findings: Findings) -> None:
    """Everything of this kind in a record and in those within it."""
    kind: type = type(record)
    for each in _own(kind):
        found = each.of(record)
        if found is not None:
            name, where = found
            findings.unsupported(where, name, each.why, "Kubernetes" if _of_kubernetes(each.record) else "Istio")
    for field in _leading(kind):
        for inner in _records(getattr(record, field)):
            refuse(inner, findings)


def _of_kubernetes(record: type[Record]) -> bool:
    return ".kubernetes." in record.__module__


@cache
def _own(record: type) -> tuple[Refusal, ...]:
    return tuple(each for each in REFUSED if each.record is record)


@cache
def _leading(record: type) -> tuple[str, ...]:
    """The fields behind which something can be refused. What providers hold counts only where one is used."""
    return tuple(
        field for field, inner in inner_records(record).items() if inner is not ExtensionProvider and _may_refuse(inner)
    )


def _may_refuse(record: type) -> bool:
    return bool(_own(record) or _leading(record))


def _records(value: object) -> Iterable[Record]:
    if isinstance(value, Record):
        return (value,)
    if isinstance(value, Mapping):
        return (each for each in value.values() if isinstance(each, Record))
    return (each for each in value if isinstance(each, Record)) if isinstance(value, tuple) else ()
