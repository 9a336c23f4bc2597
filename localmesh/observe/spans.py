"""Spans as they are kept: what is asked of them often as fields, the rest as the bytes that came.

The format is OTLP (opentelemetry-proto, trace.v1); ids are written as its JSON form has them, in lower hexadecimal.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import grpc
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2

# What a span takes beside its bytes: its record, its texts, its source, its place in a trace (a test measures it).
RECORD_BYTES = 1000
_CODES = {str(code.value[0]): code.name for code in grpc.StatusCode}
# What is called, as a proxy tells it. Of a single attempt Envoy does not: deploy/istio/telemetry.yaml adds it to spans
# of proxies as `method`, a word that may mean anything in a program's.
_PATHS = ("grpc.path", "method")
_COMPONENT, _PROXY = "component", "proxy"
# How a call ended: by Envoy, by OpenTelemetry's older conventions for RPC, by the stable ones.
_STATUS = ("grpc.status_code", "rpc.grpc.status_code", "rpc.response.status_code")
_ASKED = frozenset({*_PATHS, _COMPONENT, *_STATUS})
_HEALTH = "grpc.health.v1.Health/"


@dataclass(frozen=True, slots=True)
class Source:
    """Who made spans: OTLP's resource and scope, serialized."""

    service: str
    resource: bytes = field(repr=False)
    scope: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Span:
    """One span. Times are nanoseconds since 1970; `parent` is empty where it has none."""

    trace: str
    id: str
    parent: str
    what: str  # the path that is called (`/user.v1.UserService/GetUser`), or the span's name
    begin: int
    end: int
    status: str  # the name of its gRPC status; empty where it is of no call, or has not got one
    failed: bool  # it says that it is an error, or the call ended with anything but OK
    source: Source
    body: bytes = field(repr=False)  # trace.v1.Span

    @property
    def size(self) -> int:
        """The memory that it takes, in bytes; its source as if it were this span's alone."""
        return len(self.body) + len(self.source.resource) + len(self.source.scope) + RECORD_BYTES


def received(export: bytes) -> list[Span]:
    """The spans of a serialized ExportTraceServiceRequest. Raises ValueError if it is none.

    One without a trace id or span id (16 and 8 bytes) is no span (OTLP's rule) and left out. So is a health check's,
    whoever made it: Istio's Telemetry cannot say of which paths proxies shall make spans, and nobody asks for these.
    """
    try:
        request = ExportTraceServiceRequest.FromString(export)
    except DecodeError as error:
        raise ValueError(f"no ExportTraceServiceRequest: {error}") from error
    return [span for span in spans_of(request.resource_spans) if not span.what.lstrip("/").startswith(_HEALTH)]


def spans_of(groups: Iterable[trace_pb2.ResourceSpans]) -> Iterator[Span]:
    """The spans of OTLP's groups."""
    for each in groups:
        resource = each.resource.SerializeToString(deterministic=True)
        service = texts(each.resource.attributes).get("service.name", "")
        for scope in each.scope_spans:
            source = Source(service, resource, scope.scope.SerializeToString(deterministic=True))
            for span in scope.spans:
                if len(span.trace_id) == 16 and len(span.span_id) == 8:
                    yield _span(span, source)


def attributes(span: Span) -> dict[str, str]:
    """What it says, and what its resource says of who made it; the span's own word is stronger."""
    resource = Resource.FromString(span.source.resource)
    return texts(resource.attributes) | texts(trace_pb2.Span.FromString(span.body).attributes)


def texts(written: Iterable[KeyValue]) -> dict[str, str]:
    """Attributes as a person reads them."""
    return {each.key: text(each.value) for each in written}


def text(value: AnyValue) -> str:
    """One value as a person reads it."""
    kind = value.WhichOneof("value")
    found = getattr(value, kind) if kind else ""
    return found if isinstance(found, str) else str(found)


def _span(span: trace_pb2.Span, source: Source) -> Span:
    asked = {each.key: text(each.value) for each in span.attributes if each.key in _ASKED}
    status = _status(asked)
    return Span(
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        what=_path(asked) or span.name,
        begin=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        status=status,
        failed=span.status.code == trace_pb2.Status.STATUS_CODE_ERROR or status not in {"", "OK"},
        source=source,
        body=span.SerializeToString(),
    )


def _path(said: Mapping[str, str]) -> str:
    return next((said[key] for key in _PATHS if said.get(key)), "") if said.get(_COMPONENT) == _PROXY else ""


def _status(said: Mapping[str, str]) -> str:
    value = next((said[key] for key in _STATUS if said.get(key)), "")
    return _CODES.get(value, value)
