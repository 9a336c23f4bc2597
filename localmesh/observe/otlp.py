"""Spans as OTLP writes them: the message TracesData, and its JSON form, which Jaeger opens.

The JSON form is protobuf's own (ProtoJSON) but for two things: ids are hexadecimal, and enums are numbers
(opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding").
"""

import base64
import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from localmesh.observe.spans import Source, Span, spans_of

_IDS = ("traceId", "spanId", "parentSpanId")


def encode(spans: Iterable[Span]) -> bytes:
    """A serialized TracesData with these spans, those of one source together."""
    data = TracesData()
    ordered = sorted(spans, key=lambda span: (_key(span.source), span.begin))
    for (resource, scope), some in groupby(ordered, key=lambda span: _key(span.source)):
        made = data.resource_spans.add()
        made.resource.ParseFromString(resource)
        together = made.scope_spans.add()
        together.scope.ParseFromString(scope)
        for span in some:
            together.spans.add().ParseFromString(span.body)
    return data.SerializeToString()


def decode(data: bytes) -> tuple[Span, ...]:
    """The spans of a serialized TracesData."""
    return tuple(spans_of(TracesData.FromString(data).resource_spans))


def to_json(data: bytes) -> str:
    """A serialized TracesData in OTLP's JSON form."""
    written: dict[str, Any] = MessageToDict(TracesData.FromString(data), use_integers_for_enums=True)
    for one in _with_ids(written):
        for key in _IDS:
            if key in one:
                one[key] = base64.b64decode(one[key]).hex()
    return json.dumps(written, indent=2)


def _key(source: Source) -> tuple[bytes, bytes]:
    return source.resource, source.scope


def _with_ids(written: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The spans and links, which alone have ids."""
    for resource in written.get("resourceSpans", ()):
        for scope in resource.get("scopeSpans", ()):
            for span in scope.get("spans", ()):
                yield span
                yield from span.get("links", ())
