"""Exports as an app or a proxy sends them, for these tests."""

import secrets
from collections.abc import Iterable, Mapping

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2

from localmesh.observe.spans import Span, received
from localmesh.observe.traces import Trace

MS = 1_000_000
SERVER, CLIENT = trace_pb2.Span.SPAN_KIND_SERVER, trace_pb2.Span.SPAN_KIND_CLIENT


def keys(said: Mapping[str, str]) -> list[KeyValue]:
    """Attributes."""
    return [KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in said.items()]


def span(
    trace: str = "",
    *,
    id: str = "",
    parent: str = "",
    name: str = "work",
    kind: trace_pb2.Span.SpanKind.ValueType = SERVER,
    begin_ms: float = 0,
    ms: float = 1,
    error: bool = False,
    said: Mapping[str, str] | None = None,
) -> trace_pb2.Span:
    """One span; ids are hexadecimal, `said` its attributes."""
    begin = 1_700_000_000_000 * MS + round(begin_ms * MS)
    made = trace_pb2.Span(
        trace_id=bytes.fromhex(trace or secrets.token_hex(16)),
        span_id=bytes.fromhex(id or secrets.token_hex(8)),
        parent_span_id=bytes.fromhex(parent),
        name=name,
        kind=kind,
        start_time_unix_nano=begin,
        end_time_unix_nano=begin + round(ms * MS),
        attributes=keys(said or {}),
    )
    if error:
        made.status.code = trace_pb2.Status.STATUS_CODE_ERROR
    return made


def export(spans: Iterable[trace_pb2.Span], service: str = "chat", pod: str = "chat-0") -> bytes:
    """One export of a program's spans."""
    return ExportTraceServiceRequest(
        resource_spans=[
            trace_pb2.ResourceSpans(
                resource=Resource(attributes=keys({"service.name": service, "service.instance.id": pod})),
                scope_spans=[trace_pb2.ScopeSpans(scope=InstrumentationScope(name="tests"), spans=spans)],
            )
        ]
    ).SerializeToString()


def taken(*spans: trace_pb2.Span, service: str = "chat") -> list[Span]:
    """As the receiver reads them."""
    return received(export(spans, service))


def one(made: trace_pb2.Span, service: str = "chat") -> Span:
    """A single span, as the receiver reads it."""
    return taken(made, service=service)[0]


def trace(*spans: trace_pb2.Span) -> Trace:
    """A trace of these."""
    return Trace.of(taken(*spans))
