"""Access logs and the tracing block of a connection manager."""

import json
from functools import lru_cache

from envoy.config.accesslog.v3 import accesslog_pb2
from envoy.config.core.v3 import base_pb2, extension_pb2, grpc_service_pb2, substitution_format_string_pb2
from envoy.config.trace.v3 import http_tracer_pb2, opentelemetry_pb2
from envoy.extensions.access_loggers.file.v3 import file_pb2
from envoy.extensions.access_loggers.filters.cel.v3 import cel_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm
from envoy.extensions.formatter.metadata.v3 import metadata_pb2 as metadata_formatter_pb2
from envoy.extensions.formatter.req_without_query.v3 import req_without_query_pb2
from envoy.type.metadata.v3 import metadata_pb2
from envoy.type.tracing.v3 import custom_tag_pb2
from envoy.type.v3 import percent_pb2
from google.protobuf import any_pb2, json_format, struct_pb2

from localmesh.mesh.pods import Pod, Proxy
from localmesh.mesh.telemetry import AccessLog, CustomTag, Telemetry, Tracing
from localmesh.xds import names
from localmesh.xds.wire import boolean, pack, uint32

# EnvoyTextLogFormat of istiod (pilot/pkg/model/telemetry_logging.go).
TEXT_FORMAT = (
    '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% '
    "%RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "
    '"%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% '
    '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" '
    '"%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% '
    "%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n"
)
# EnvoyJSONLogFormatIstio of the same file.
JSON_FORMAT = {
    "start_time": "%START_TIME%",
    "route_name": "%ROUTE_NAME%",
    "method": "%REQ(:METHOD)%",
    "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
    "protocol": "%PROTOCOL%",
    "response_code": "%RESPONSE_CODE%",
    "response_flags": "%RESPONSE_FLAGS%",
    "response_code_details": "%RESPONSE_CODE_DETAILS%",
    "connection_termination_details": "%CONNECTION_TERMINATION_DETAILS%",
    "bytes_received": "%BYTES_RECEIVED%",
    "bytes_sent": "%BYTES_SENT%",
    "duration": "%DURATION%",
    "upstream_service_time": "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%",
    "x_forwarded_for": "%REQ(X-FORWARDED-FOR)%",
    "user_agent": "%REQ(USER-AGENT)%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "authority": "%REQ(:AUTHORITY)%",
    "upstream_host": "%UPSTREAM_HOST%",
    "upstream_cluster": "%UPSTREAM_CLUSTER_RAW%",
    "upstream_local_address": "%UPSTREAM_LOCAL_ADDRESS%",
    "downstream_local_address": "%DOWNSTREAM_LOCAL_ADDRESS%",
    "downstream_remote_address": "%DOWNSTREAM_REMOTE_ADDRESS%",
    "requested_server_name": "%REQUESTED_SERVER_NAME%",
    "upstream_transport_failure_reason": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
}
# Istio's name of this cluster of pods, and of the mesh (its trust domain).
CLUSTER_ID = "Kubernetes"
CANONICAL_NAME = "service.istio.io/canonical-name"
CANONICAL_REVISION = "service.istio.io/canonical-revision"
# What Envoy has to be told of where a format uses it.
_FORMATTERS = {
    "%REQ_WITHOUT_QUERY": extension_pb2.TypedExtensionConfig(
        name="envoy.formatter.req_without_query", typed_config=pack(req_without_query_pb2.ReqWithoutQuery())
    ),
    "%METADATA(": extension_pb2.TypedExtensionConfig(
        name="envoy.formatter.metadata", typed_config=pack(metadata_formatter_pb2.Metadata())
    ),
}


def access_logs(telemetry: Telemetry) -> list[accesslog_pb2.AccessLog]:
    """The logs of a connection manager or TCP proxy."""
    return [_file_log(log, _cel(log.filter)) for log in telemetry.access_logs]


def listener_access_logs(telemetry: Telemetry) -> list[accesslog_pb2.AccessLog]:
    """The logs of a listener: connections that found no filter chain (response flag NR), as istiod adds them."""
    return [_file_log(log, _and(_NO_ROUTE, _cel(log.filter))) for log in telemetry.access_logs]


_NO_ROUTE = accesslog_pb2.AccessLogFilter(response_flag_filter=accesslog_pb2.ResponseFlagFilter(flags=["NR"]))


def _and(
    one: accesslog_pb2.AccessLogFilter, other: accesslog_pb2.AccessLogFilter | None
) -> accesslog_pb2.AccessLogFilter:
    if other is None:
        return one
    return accesslog_pb2.AccessLogFilter(and_filter=accesslog_pb2.AndFilter(filters=[one, other]))


def _cel(expression: str) -> accesslog_pb2.AccessLogFilter | None:
    if not expression:
        return None
    extension = accesslog_pb2.ExtensionFilter(
        name="envoy.access_loggers.extension_filters.cel",
        typed_config=pack(cel_pb2.ExpressionFilter(expression=expression)),
    )
    return accesslog_pb2.AccessLogFilter(extension_filter=extension)


def _line(text: str | None) -> str:
    """A format ends with a newline: Istio adds it where it is missing."""
    if text is None:
        return TEXT_FORMAT
    return text if text.endswith("\n") else f"{text}\n"


def _file_log(log: AccessLog, only: accesslog_pb2.AccessLogFilter | None) -> accesslog_pb2.AccessLog:
    return accesslog_pb2.AccessLog(name="envoy.access_loggers.file", filter=only, typed_config=_file(log))


@lru_cache(maxsize=64)  # every filter chain of every pod has the same few
def _file(log: AccessLog) -> any_pb2.Any:
    text = fields = None
    written = log.json or _line(log.text)
    if log.json is None:
        text = base_pb2.DataSource(inline_string=written)
    else:
        fields = json_format.ParseDict(json.loads(log.json) if log.json else JSON_FORMAT, struct_pb2.Struct())
    log_format = substitution_format_string_pb2.SubstitutionFormatString(
        text_format_source=text,
        json_format=fields,
        json_format_options=substitution_format_string_pb2.JsonFormatOptions() if fields is not None else None,
        omit_empty_values=log.omit_empty,
        formatters=[one for command, one in _FORMATTERS.items() if command in written],
    )
    return pack(file_pb2.FileAccessLog(path=log.path, log_format=log_format))


def tracing(pod: Pod, telemetry: Telemetry, mesh_id: str) -> hcm.HttpConnectionManager.Tracing | None:
    """The tracing block: sampling, Istio's own tags, custom tags and the collector."""
    how = telemetry.tracing
    if how is None:
        return None
    tags = (_istio_tags(pod, mesh_id) if how.istio_tags else []) + [_custom(tag) for tag in how.tags]
    return hcm.HttpConnectionManager.Tracing(
        client_sampling=percent_pb2.Percent(value=100.0),
        random_sampling=percent_pb2.Percent(value=how.sampling_percent),
        overall_sampling=percent_pb2.Percent(value=100.0),
        custom_tags=sorted(tags, key=lambda tag: tag.tag),
        spawn_upstream_span=boolean(True) if how.provider and pod.proxy is Proxy.GATEWAY else None,
        max_path_tag_length=uint32(how.provider.max_tag_length if how.provider else None),
        provider=_provider(how, pod),
    )


def _provider(how: Tracing, pod: Pod) -> http_tracer_pb2.Tracing.Http | None:
    if how.provider is None:
        return None
    collector = grpc_service_pb2.GrpcService(
        envoy_grpc=grpc_service_pb2.GrpcService.EnvoyGrpc(
            cluster_name=names.outbound_cluster(how.provider.host, how.provider.port), authority=how.provider.host
        )
    )
    # As istio's agent names its node by default (ProxyConfig.tracingServiceName: APP_LABEL_AND_NAMESPACE).
    service = f"{pod.labels.get('app', pod.workload or pod.name)}.{pod.namespace}"
    return http_tracer_pb2.Tracing.Http(
        name="envoy.tracers.opentelemetry",
        typed_config=pack(opentelemetry_pb2.OpenTelemetryConfig(grpc_service=collector, service_name=service)),
    )


def _istio_tags(pod: Pod, mesh_id: str) -> list[custom_tag_pb2.CustomTag]:
    literals = {
        "istio.canonical_revision": pod.labels.get(CANONICAL_REVISION, pod.labels.get("version", "latest")),
        "istio.canonical_service": pod.labels.get(CANONICAL_NAME, pod.labels.get("app", pod.workload or pod.name)),
        "istio.cluster_id": CLUSTER_ID,
        "istio.mesh_id": mesh_id,
        "istio.namespace": pod.namespace,
    }
    dry_runs = {
        f"istio.authorization.dry_run.{action}_policy.{tag}": f"istio_dry_run_{action}_shadow_{key}"
        for action in ("allow", "deny")
        for tag, key in (("name", "effective_policy_id"), ("result", "engine_result"))
    }
    return [_literal(tag, value) for tag, value in literals.items()] + [
        _rbac_metadata(tag, key) for tag, key in dry_runs.items()
    ]


def _literal(tag: str, value: str) -> custom_tag_pb2.CustomTag:
    return custom_tag_pb2.CustomTag(tag=tag, literal=custom_tag_pb2.CustomTag.Literal(value=value))


def _rbac_metadata(tag: str, key: str) -> custom_tag_pb2.CustomTag:
    segment = metadata_pb2.MetadataKey.PathSegment(key=key)
    source = custom_tag_pb2.CustomTag.Metadata(
        kind=metadata_pb2.MetadataKind(request=metadata_pb2.MetadataKind.Request()),
        metadata_key=metadata_pb2.MetadataKey(key="envoy.filters.http.rbac", path=[segment]),
    )
    return custom_tag_pb2.CustomTag(tag=tag, metadata=source)


def _custom(tag: CustomTag) -> custom_tag_pb2.CustomTag:
    if tag.literal is not None:
        return _literal(tag.name, tag.literal)
    if tag.formatted is not None:
        return custom_tag_pb2.CustomTag(tag=tag.name, value=tag.formatted)
    if tag.header is not None:
        header = custom_tag_pb2.CustomTag.Header(name=tag.header, default_value=tag.default)
        return custom_tag_pb2.CustomTag(tag=tag.name, request_header=header)
    environment = custom_tag_pb2.CustomTag.Environment(name=tag.environment or "", default_value=tag.default)
    return custom_tag_pb2.CustomTag(tag=tag.name, environment=environment)
