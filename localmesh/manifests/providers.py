"""MeshConfig.extensionProviders: the named back ends of tracing, access logs and external authorization."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from localmesh.manifests.record import Duration, Port, Record, Struct, UInt32, empty_map


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtAuthzRequestBody(Record):
    """How much of the body an external authorizer sees."""

    max_request_bytes: UInt32 | None = None
    allow_partial_message: bool = False
    pack_as_bytes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtAuthzHttp(Record):
    """An external authorizer that speaks HTTP."""

    service: str
    port: Port
    timeout: Duration | None = None
    path_prefix: str | None = None
    fail_open: bool = False
    clear_route_cache: bool = False
    status_on_error: str | None = None
    include_headers_in_check: tuple[str, ...] = ()
    include_request_headers_in_check: tuple[str, ...] = ()
    include_additional_headers_in_check: Mapping[str, str] = empty_map()
    include_request_body_in_check: ExtAuthzRequestBody | None = None
    headers_to_upstream_on_allow: tuple[str, ...] = ()
    headers_to_downstream_on_deny: tuple[str, ...] = ()
    headers_to_downstream_on_allow: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtAuthzGrpc(Record):
    """An external authorizer that speaks gRPC."""

    service: str
    port: Port
    timeout: Duration | None = None
    fail_open: bool = False
    clear_route_cache: bool = False
    status_on_error: str | None = None
    include_request_body_in_check: ExtAuthzRequestBody | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderHeader(Record):
    """A header sent to a tracing back end; its value is written, or read from the proxy's environment."""

    AT_MOST_ONE: ClassVar[tuple[tuple[str, ...], ...]] = (("value", "env_name"),)

    name: str
    value: str | None = None
    env_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ZipkinTracing(Record):
    """Spans to a Zipkin collector."""

    service: str
    port: Port
    max_tag_length: UInt32 | None = None
    enable_64bit_trace_id: bool = False
    path: str | None = None
    trace_context_option: Literal["USE_B3", "USE_B3_WITH_W3C_PROPAGATION"] | None = None
    timeout: Duration | None = None
    headers: tuple[ProviderHeader, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DatadogTracing(Record):
    """Spans to a Datadog agent."""

    service: str
    port: Port
    max_tag_length: UInt32 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SkyWalkingTracing(Record):
    """Spans to a SkyWalking receiver."""

    service: str
    port: Port
    access_token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OtlpHttp(Record):
    """OTLP over HTTP."""

    path: str | None = None
    timeout: Duration | None = None
    headers: tuple[ProviderHeader, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OtlpGrpc(Record):
    """OTLP over gRPC."""

    timeout: Duration | None = None
    initial_metadata: tuple[ProviderHeader, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceDetectors(Record):
    """Which detectors fill the resource attributes; `{}` switches one on."""

    environment: Struct | None = None
    dynatrace: Struct | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTelemetryTracing(Record):
    """Spans to an OpenTelemetry collector."""

    AT_MOST_ONE: ClassVar[tuple[tuple[str, ...], ...]] = (("http", "grpc"),)

    service: str
    port: Port
    max_tag_length: UInt32 | None = None
    http: OtlpHttp | None = None
    grpc: OtlpGrpc | None = None
    resource_detectors: ResourceDetectors | None = None
    service_attribute_enrichment: Literal["ISTIO_CANONICAL", "OTEL_SEMANTIC_CONVENTIONS"] | None = None
    dynatrace_sampler: Struct | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFormat(Record):
    """A line as text, or a JSON object of format strings."""

    text: str | None = None
    labels: Struct | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAccessLog(Record):
    """Access logs to a file, such as /dev/stdout."""

    path: str
    log_format: LogFormat | None = None
    omit_empty_values: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GrpcAccessLog(Record):
    """Access logs to Envoy's gRPC access log service; the header lists are for HTTP only."""

    service: str
    port: Port
    log_name: str | None = None
    filter_state_objects_to_log: tuple[str, ...] = ()
    additional_request_headers_to_log: tuple[str, ...] = ()
    additional_response_headers_to_log: tuple[str, ...] = ()
    additional_response_trailers_to_log: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OtelAccessLog(Record):
    """Access logs to an OpenTelemetry collector."""

    service: str
    port: Port
    log_name: str | None = None
    log_format: LogFormat | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionProvider(Record):
    """A name, and exactly one back end."""

    EXACTLY_ONE: ClassVar[tuple[str, ...]] = (
        "envoy_ext_authz_http",
        "envoy_ext_authz_grpc",
        "zipkin",
        "datadog",
        "skywalking",
        "opentelemetry",
        "prometheus",
        "envoy_file_access_log",
        "envoy_http_als",
        "envoy_tcp_als",
        "envoy_otel_als",
        "lightstep",
        "stackdriver",
        "opencensus",
        "sds",
    )

    name: str
    envoy_ext_authz_http: ExtAuthzHttp | None = None
    envoy_ext_authz_grpc: ExtAuthzGrpc | None = None
    zipkin: ZipkinTracing | None = None
    datadog: DatadogTracing | None = None
    skywalking: SkyWalkingTracing | None = None
    opentelemetry: OpenTelemetryTracing | None = None
    prometheus: Struct | None = None
    envoy_file_access_log: FileAccessLog | None = None
    envoy_http_als: GrpcAccessLog | None = None
    envoy_tcp_als: GrpcAccessLog | None = None
    envoy_otel_als: OtelAccessLog | None = None
    lightstep: Struct | None = None
    stackdriver: Struct | None = None
    opencensus: Struct | None = None
    sds: Struct | None = None
