"""MeshConfig: mesh-wide settings, from an IstioOperator's `spec.meshConfig` or a bare mesh.yaml (mesh/v1alpha1).

Only what was written is here; Istio's defaults are laid under it by `resolve`. Fields that only istiod, its injector or
its certificate authority read are accepted and mean nothing locally.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from localmesh.manifests.istio.destination_rule import (
    ClientTLSSettings,
    LocalityLoadBalancerSetting,
    TcpKeepalive,
)
from localmesh.manifests.istio.telemetry import CustomTag
from localmesh.manifests.istio.virtual_service import HTTPRetry
from localmesh.manifests.providers import ExtensionProvider
from localmesh.manifests.record import Duration, Int32, Record, Resource, Struct, UInt32, empty_map, json_named

PathNormalization = Literal["DEFAULT", "NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"]
ForwardClientCert = Literal[
    "UNDEFINED", "SANITIZE", "FORWARD_ONLY", "APPEND_FORWARD", "SANITIZE_SET", "ALWAYS_FORWARD_ONLY"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundPolicy(Record):
    """What happens to calls to unknown hosts; ALLOW_ANY when absent."""

    mode: Literal["REGISTRY_ONLY", "ALLOW_ANY", "ALLOW_ANY_DYNAMIC_DNS"] | None = None
    tls: ClientTLSSettings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundPolicy(Record):
    """Where calls to unknown ports of a pod go."""

    mode: Literal["PASSTHROUGH", "LOCALHOST"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultProviders(Record):
    """The providers of everything for which no Telemetry names one."""

    tracing: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    access_logging: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyPathNormalization(Record):
    """How paths are normalised before any rule sees them; DEFAULT is BASE."""

    normalization: PathNormalization | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshTLS(Record):
    """The TLS versions, curves and ciphers of the mesh."""

    min_protocol_version: Literal["TLS_AUTO", "TLSV1_2", "TLSV1_3"] | None = None
    ecdh_curves: tuple[str, ...] = ()
    cipher_suites: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology(Record):
    """How many proxies stand before a gateway, and what it does with their client certificates."""

    num_trusted_proxies: UInt32 | None = None
    forward_client_cert_details: ForwardClientCert | None = None
    proxy_protocol: Struct | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyTracing(Record):
    """Tracing as it was set before Telemetry: `sampling` in percent."""

    NO_LOCAL_MEANING: ClassVar[frozenset[str]] = frozenset(
        {"zipkin", "lightstep", "datadog", "stackdriver", "openCensusAgent", "tlsSettings"}
    )

    custom_tags: Mapping[str, CustomTag] = empty_map()
    max_path_tag_length: UInt32 | None = None
    sampling: float | None = None
    enable_istio_tags: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch(Record):
    """One of a proxy's header features."""

    disabled: bool | None = None
    enabled: bool | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCertDetails(Record):
    """Which details of the client's certificate are put into x-forwarded-client-cert."""

    subject: bool | None = None
    cert: bool | None = None
    chain: bool | None = None
    dns: bool | None = None
    uri: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataExchangeHeaders(Record):
    """Whether peer metadata headers are sent out of the mesh."""

    mode: Literal["UNDEFINED", "IN_MESH"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyHeaders(Record):
    """Which headers a proxy adds by itself."""

    forwarded_client_cert: ForwardClientCert | None = None
    set_current_client_cert_details: ClientCertDetails | None = None
    request_id: Switch | None = None
    server: Switch | None = None
    attempt_count: Switch | None = None
    envoy_debug_headers: Switch | None = None
    metadata_exchange_headers: MetadataExchangeHeaders | None = None
    preserve_http1_header_case: bool | None = None
    x_forwarded_host: Switch | None = None
    x_forwarded_port: Switch | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyConfigSettings(Record):
    """mesh/v1alpha1 ProxyConfig: what every proxy starts from (`defaultConfig`)."""

    NO_LOCAL_MEANING: ClassVar[frozenset[str]] = frozenset(
        {
            "availabilityZone",
            "binaryPath",
            "caCertificatesPem",
            "configPath",
            "controlPlaneAuthPolicy",
            "customConfigFile",
            "discoveryAddress",
            "discoveryRefreshDelay",
            "envoyAccessLogService",
            "envoyMetricsService",
            "envoyMetricsServiceAddress",
            "extraStatTags",
            "fileFlushInterval",
            "fileFlushMinSizeKb",
            "image",
            "interceptionMode",
            "meshId",
            "privateKeyProvider",
            "proxyAdminPort",
            "proxyBootstrapTemplatePath",
            "proxyStatsMatcher",
            "readinessProbe",
            "runtimeValues",
            "sds",
            "serviceCluster",
            "statNameLength",
            "statsCompression",
            "statsdUdpAddress",
            "statusPort",
            "zipkinAddress",
        }
    )

    tracing_service_name: (
        Literal["APP_LABEL_AND_NAMESPACE", "CANONICAL_NAME_ONLY", "CANONICAL_NAME_AND_NAMESPACE"] | None
    ) = None
    drain_duration: Duration | None = None
    termination_drain_duration: Duration | None = None
    concurrency: Int32 | None = None
    tracing: ProxyTracing | None = None
    proxy_metadata: Mapping[str, str] = empty_map()
    gateway_topology: Topology | None = None
    hold_application_until_proxy_starts: bool | None = None
    proxy_headers: ProxyHeaders | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshConfig(Record):
    """mesh/v1alpha1 MeshConfig. A field that is None or empty was not written."""

    NO_LOCAL_MEANING: ClassVar[frozenset[str]] = frozenset(
        {
            "ca",
            "caCertificates",
            "certificates",
            "configSources",
            "disableEnvoyListenerLog",
            "discoverySelectors",
            "dnsRefreshRate",
            "enableEnvoyAccessLogService",
            "hboneIdleTimeout",
            "ingressClass",
            "ingressControllerMode",
            "ingressSelector",
            "ingressService",
            "proxyHttpPort",
            "proxyInboundListenPort",
            "proxyListenPort",
            "serviceScopeConfigs",
            "verifyCertificateAtClient",
        }
    )

    connect_timeout: Duration | None = None
    protocol_detection_timeout: Duration | None = None
    tcp_keepalive: TcpKeepalive | None = None
    enable_tracing: bool | None = None
    access_log_file: str | None = None
    access_log_format: str | None = None
    access_log_encoding: Literal["TEXT", "JSON"] | None = None
    default_config: ProxyConfigSettings | None = None
    outbound_traffic_policy: OutboundPolicy | None = None
    inbound_traffic_policy: InboundPolicy | None = None
    enable_auto_mtls: bool | None = None
    trust_domain: str | None = None
    trust_domain_aliases: tuple[str, ...] = ()
    default_service_export_to: tuple[str, ...] = ()
    default_virtual_service_export_to: tuple[str, ...] = ()
    default_destination_rule_export_to: tuple[str, ...] = ()
    root_namespace: str | None = None
    locality_lb_setting: LocalityLoadBalancerSetting | None = None
    h2_upgrade_policy: Literal["DO_NOT_UPGRADE", "UPGRADE"] | None = None
    inbound_cluster_stat_name: str | None = None
    outbound_cluster_stat_name: str | None = None
    service_settings: tuple[Struct, ...] = ()
    enable_prometheus_merge: bool | None = None
    extension_providers: tuple[ExtensionProvider, ...] = ()
    default_providers: DefaultProviders | None = None
    path_normalization: ProxyPathNormalization | None = None
    default_http_retry_policy: HTTPRetry | None = None
    mesh_mtls: MeshTLS | None = json_named("meshMTLS")
    tls_defaults: MeshTLS | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IstioOperatorSpec(Record):
    """The install document: all but meshConfig says how istiod itself is deployed."""

    NO_LOCAL_MEANING: ClassVar[frozenset[str]] = frozenset(
        {
            "profile",
            "components",
            "values",
            "hub",
            "tag",
            "namespace",
            "revision",
            "installPackagePath",
            "compatibilityVersion",
            "unvalidatedValues",
        }
    )

    mesh_config: MeshConfig = field(default_factory=MeshConfig)


@dataclass(frozen=True, slots=True, kw_only=True)
class IstioOperator(Resource):
    """An IstioOperator document."""

    spec: IstioOperatorSpec = field(default_factory=IstioOperatorSpec)
