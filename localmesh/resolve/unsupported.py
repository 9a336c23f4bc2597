"""What is decoded and not compiled: fields refused by name, and fields that change nothing, each with its reason.

With `manifests.unsupported` (what is not even decoded) and the records themselves this is all that docs/supported.md
is made of. A field that is in no table is compiled, and a test holds that something reads it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from localmesh.errors import Where
from localmesh.manifests import mesh_config, providers
from localmesh.manifests.istio import (
    common,
    destination_rule,
    envoy_filter,
    gateway,
    proxy_config,
    security,
    service_entry,
    sidecar,
    telemetry,
    virtual_service,
)
from localmesh.manifests.kubernetes import config, container, pod, service, volume, workload
from localmesh.manifests.record import Record, spelled

_NOT_YET = "not compiled yet"
_WAYPOINTS = "only the waypoints of ambient mode have such policies: use a selector"
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


def _fields(record: type[Record], why: str, *fields: str) -> Iterator[Refusal]:
    for field in fields:
        yield Refusal(record, field, why)


REFUSED: tuple[Refusal, ...] = (
    # routes and destinations
    Refusal(virtual_service.Abort, "http2_error", "Envoy has no such fault, and Istio does not read it"),
    Refusal(virtual_service.Delay, "exponential_delay", "Envoy has no such fault, and Istio does not read it"),
    Refusal(destination_rule.TrafficPolicy, "tunnel"),
    Refusal(destination_rule.HTTPCookie, "attributes"),
    Refusal(service_entry.ServiceEntrySpec, "resolution", values=frozenset({"DYNAMIC_DNS"})),
    # gateways
    *_fields(
        common.ServerTLSSettings, _NOT_YET, "ca_crl", "credential_names", "ca_cert_credential_name", "tls_certificates"
    ),
    # sidecars
    Refusal(sidecar.OutboundTrafficPolicy, "egress_proxy"),
    Refusal(
        sidecar.IstioEgressListener, "bind", "a pod has no network of its own here to bind in", name="egress[].bind"
    ),
    Refusal(
        sidecar.IstioEgressListener, "capture_mode", "what a pod dials is always captured here", frozenset({"NONE"})
    ),
    Refusal(
        sidecar.IstioIngressListener, "capture_mode", "what reaches a pod is always captured here", frozenset({"NONE"})
    ),
    Refusal(sidecar.IstioIngressListener, "bind", name="ingress[].bind"),
    # patches
    Refusal(
        envoy_filter.ConfigPatch,
        "apply_to",
        "listeners are this machine's own here: patch the filters in them",
        frozenset({"LISTENER", "FILTER_CHAIN", "LISTENER_FILTER"}),
    ),
    Refusal(
        envoy_filter.ConfigPatch,
        "apply_to",
        "proxies start from localmesh's own bootstrap here",
        frozenset({"BOOTSTRAP"}),
    ),
    Refusal(
        envoy_filter.ConfigPatch,
        "apply_to",
        "write the configuration into the filter that refers to it",
        frozenset({"EXTENSION_CONFIG"}),
    ),
    Refusal(envoy_filter.ProxyMatch, "metadata", "proxies here have none of a cluster's node metadata"),
    Refusal(envoy_filter.EnvoyFilterSpec, "target_refs", "not compiled yet: use a workloadSelector"),
    # services
    Refusal(service.ServiceSpec, "traffic_distribution"),
    Refusal(service.ServiceSpec, "internal_traffic_policy", values=frozenset({"Local"})),
    # security
    Refusal(common.PolicyTargetReference, "kind", _WAYPOINTS, frozenset({"GatewayClass", "Service", "ServiceEntry"})),
    *_fields(security.Source, _NOT_YET, "trust_domains", "not_trust_domains"),
    # telemetry
    Refusal(telemetry.TelemetrySpec, "metrics", _NO_METRICS),
    Refusal(telemetry.Tracing, "disable_context_propagation"),
    # the mesh configuration
    *_fields(
        mesh_config.MeshConfig,
        _NOT_YET,
        "inbound_traffic_policy",
        "service_settings",
        "mesh_mtls",
        "tls_defaults",
        "protocol_detection_timeout",
    ),
    Refusal(mesh_config.OutboundPolicy, "mode", values=frozenset({"ALLOW_ANY_DYNAMIC_DNS"})),
    *_fields(mesh_config.MeshConfig, _NOT_YET, "inbound_cluster_stat_name", "outbound_cluster_stat_name"),
    Refusal(mesh_config.OutboundPolicy, "tls"),
    *_fields(mesh_config.ProxyConfigSettings, _NOT_YET, "proxy_headers"),
    Refusal(mesh_config.Topology, "proxy_protocol"),
    Refusal(
        mesh_config.ProxyConfigSettings,
        "tracing_service_name",
        "spans are named as by APP_LABEL_AND_NAMESPACE",
        frozenset({"CANONICAL_NAME_ONLY", "CANONICAL_NAME_AND_NAMESPACE"}),
    ),
    Refusal(mesh_config.ProxyTracing, "max_path_tag_length", "set maxTagLength of the provider"),
    # extension providers, where something names them
    *_fields(
        providers.ExtensionProvider,
        _OTLP,
        "zipkin",
        "datadog",
        "skywalking",
        "lightstep",
        "stackdriver",
        "opencensus",
        "sds",
    ),
    *_fields(
        providers.ExtensionProvider,
        "access logs are written to files only: use an envoyFileAccessLog provider",
        "envoy_http_als",
        "envoy_tcp_als",
        "envoy_otel_als",
    ),
    *_fields(providers.OpenTelemetryTracing, _OTLP, "http"),
    *_fields(providers.OpenTelemetryTracing, _NOT_YET, "grpc", "resource_detectors", "dynatrace_sampler"),
    Refusal(
        providers.OpenTelemetryTracing,
        "service_attribute_enrichment",
        values=frozenset({"OTEL_SEMANTIC_CONVENTIONS"}),
    ),
    # pods that run here
    *_fields(volume.Volume, "use a configMap, secret, emptyDir or persistentVolumeClaim", "host_path", "downward_api"),
    *_fields(volume.Projection, "use a secret or configMap", "downward_api", "service_account_token"),
    Refusal(container.EnvVarSource, "resource_field_ref", _NO_LIMITS),
    Refusal(
        container.Container, "restart_policy", "a program beside another is a container here", frozenset({"Always"})
    ),
    *_fields(container.VolumeMount, "use subPath", "sub_path_expr"),
    *_fields(
        container.HTTPGetAction, "a probe here asks the container itself, without headers", "host", "http_headers"
    ),
    Refusal(container.HTTPGetAction, "scheme", "a probe here does not speak TLS", frozenset({"HTTPS"})),
    Refusal(container.TCPSocketAction, "host", "a probe here asks the container itself"),
)

_AGENT = "Istio's agent reads it, and there is none here"
_DRAIN = "pods leave the mesh before they are asked to stop"
_COMMAND = "how a program is run is said in local.yaml"
_FILES = "files belong to who runs the mesh"
_SLOTS = "a restart here goes pod by pod, each ready before the next stops"

WITHOUT_EFFECT: Mapping[tuple[type[Record], str], str] = {
    # In a cluster neither
    (virtual_service.L4MatchAttributes, "source_subnet"): "istiod does not read it",
    (destination_rule.OutlierDetection, "consecutive_errors"): "istiod does not read it: warning LM204",
    (gateway.Server, "default_endpoint"): "istiod does not read it",
    (gateway.Server, "name"): "a name for readers",
    (common.SidecarPort, "name"): "a name for readers",
    (envoy_filter.ListenerMatch, "listener_filter"): "only applyTo LISTENER_FILTER asks for it, which is refused",
    (sidecar.IstioIngressListener, "tls"): "istiod ignores it without an experimental flag: warning LM703",
    (service.ServiceSpec, "external_name"): "an alias for the resolver: no proxy knows it",
    (service.EndpointSlice, "address_type"): "the addresses say it",
    (service.EndpointConditions, "serving"): "istiod asks for ready",
    (service.EndpointConditions, "terminating"): "istiod asks for ready",
    (service.Endpoint, "hostname"): "of headless Services only the pods are called by name, through their address",
    (service.Endpoint, "zone"): "istiod takes the zone from the node's labels",
    (service.EndpointPort, "app_protocol"): "istiod takes it from the Service",
    (workload.PodSelector, "match_expressions"): "a workload's pods are those that it makes",
    # Proxies
    (mesh_config.ProxyConfigSettings, "drain_duration"): _DRAIN,
    (mesh_config.ProxyConfigSettings, "termination_drain_duration"): _DRAIN,
    (mesh_config.ProxyConfigSettings, "concurrency"): "a sidecar here has one worker",
    (proxy_config.ProxyConfigSpec, "concurrency"): "a sidecar here has one worker",
    (proxy_config.ProxyConfigSpec, "image"): "every proxy here is this machine's Envoy",
    (proxy_config.ProxyImage, "image_type"): "every proxy here is this machine's Envoy",
    (
        mesh_config.ProxyConfigSettings,
        "hold_application_until_proxy_starts",
    ): "a program is started when its proxy is ready",
    (mesh_config.MeshConfig, "enable_prometheus_merge"): _AGENT,
    (mesh_config.DefaultProviders, "metrics"): _NO_METRICS,
    (providers.ExtensionProvider, "prometheus"): _NO_METRICS,
    # Programs
    (container.Container, "working_dir"): _COMMAND,
    (container.Container, "lifecycle"): f"{_COMMAND}, and {_DRAIN}",
    (container.Probe, "termination_grace_period_seconds"): "the pod's own counts",
    (pod.PodSpec, "restart_policy"): "a workload's pods are always started again",
    (pod.PodSpec, "automount_service_account_token"): "there is no API server to show a token to",
    (config.ServiceAccount, "automount_service_account_token"): "there is no API server to show a token to",
    (config.Secret, "type"): "the keys say it",
    (volume.ConfigMapVolume, "default_mode"): _FILES,
    (volume.SecretVolume, "default_mode"): _FILES,
    (volume.Projected, "default_mode"): _FILES,
    (volume.KeyToPath, "mode"): _FILES,
    (volume.Volume, "empty_dir"): "every volume without content is an empty folder",
    (volume.ClaimVolume, "claim_name"): "each pod has a folder of its own that is kept",
    (volume.ClaimVolume, "read_only"): "each pod has a folder of its own that is kept",
    (pod.PodStatus, "pod_ips"): "podIP is the first of them",
    (workload.DeploymentSpec, "strategy"): _SLOTS,
    (workload.StatefulSetSpec, "update_strategy"): _SLOTS,
    (workload.StatefulSetSpec, "service_name"): "the headless Service is found by its selector",
    (workload.StatefulSetSpec, "pod_management_policy"): "start order is that of what pods need of each other",
}
"""(record class, field in Python's spelling) -> why writing it changes nothing here."""


def refusal_of(record: type, field: str) -> Refusal | None:
    """Why a field (Python's spelling) of a record is refused; None where it is not."""
    return next((each for each in REFUSED if each.record is record and each.field == field), None)
