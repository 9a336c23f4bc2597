"""Spans as they are kept: what is asked of them often as fields, the rest as the bytes that came.

The format is OTLP (opentelemetry-proto, trace.v1); ids are written as its JSON form has them, in lower hexadecimal.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2

# What a span costs beside its bytes: its record, three short texts, its place in a trace. Measured on CPython 3.11.
RECORD_BYTES = 700
_ERROR = trace_pb2.Status.STATUS_CODE_ERROR


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
    name: str
    begin: int
    end: int
    failed: bool
    source: Source
    body: bytes = field(repr=False)  # trace.v1.Span

    @property
    def size(self) -> int:
        """The memory that it takes, in bytes."""
        return len(self.body) + RECORD_BYTES


def received(export: bytes) -> list[Span]:
    """The spans of a serialized ExportTraceServiceRequest. Raises ValueError if it is none.

    One without a trace id or span id (16 and 8 bytes) is no span (OTLP's rule) and left out.
    """
    try:
        request = ExportTraceServiceRequest.FromString(export)
    except DecodeError as error:
        raise ValueError(f"no ExportTraceServiceRequest: {error}") from error
    return list(spans_of(request.resource_spans))


def spans_of(groups: Iterable[trace_pb2.ResourceSpans]) -> Iterator[Span]:
    """The spans of OTLP's groups."""
    for each in groups:
        resource = each.resource.SerializeToString(deterministic=True)
        service = text(attribute(each.resource.attributes, "service.name"))
        for scope in each.scope_spans:
            source = Source(service, resource, scope.scope.SerializeToString(deterministic=True))
            for span in scope.spans:
                if len(span.trace_id) == 16 and len(span.span_id) == 8:
                    yield _span(span, source)


def attribute(attributes: Iterable[KeyValue], key: str) -> AnyValue | None:
    """The value of the first attribute of this name."""
    return next((each.value for each in attributes if each.key == key), None)


def text(value: AnyValue | None) -> str:
    """A value as a person reads it; nothing for none."""
    if value is None or value.WhichOneof("value") is None:
        return ""
    found = getattr(value, value.WhichOneof("value") or "")
    return found if isinstance(found, str) else str(found)


def _span(span: trace_pb2.Span, source: Source) -> Span:
    return Span(
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        name=span.name,
        begin=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        failed=span.status.code == _ERROR,
        source=source,
        body=span.SerializeToString(),
    )
