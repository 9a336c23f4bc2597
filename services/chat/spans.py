"""A message's way through the service as spans: waited for, committed, published, delivered.

The sender waits in its own call; one commit serves many senders (see `services.common.gathering`). An event keeps the
W3C context of the wait that stored it, also on its way through the broker, as a header. A delivery is a span in the
reader's stream that links to the senders of what it delivers: a link, not a parent, because it is part of both traces.

Bounds: one delivery is all that a reader takes at once, however many messages that is. Of one message, the first
DELIVERIES at each replica are told; a room of a thousand readers would otherwise make a thousand spans of each message.
Who sends or reads without being traced costs nothing. What is read from the record has lost its sender's context.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from opentelemetry.context import Context
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    NonRecordingSpan,
    NoOpTracerProvider,
    Span,
    SpanContext,
    SpanKind,
    TracerProvider,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from services.common import semconv
from services.common.gathering import MOST_LINKS
from services.common.spans import failed, span

if TYPE_CHECKING:
    from services.chat.events import Event

DELIVERIES = 32

# Rooms' names are their members' business, so spans have the template.
_ROOM = "chat.room.{room}"
_W3C = TraceContextTextMapPropagator()
_NOTHING = nullcontext()


class Origin:
    """The wait of a sender whose call is traced: the deliveries of its message link to it."""

    __slots__ = ("_told", "context")

    def __init__(self, context: SpanContext) -> None:
        self.context = context
        self._told = 0

    @classmethod
    def of(cls, wait: Span) -> "Origin | None":
        """None if the sender's call is not traced."""
        return cls(wait.get_span_context()) if wait.is_recording() else None

    @classmethod
    def read(cls, headers: Mapping[str, str] | None) -> "Origin | None":
        """From a message of the broker."""
        if not headers:
            return None
        context = get_current_span(_W3C.extract(headers, Context())).get_span_context()
        return cls(context) if context.is_valid and context.trace_flags.sampled else None

    def headers(self) -> dict[str, str]:
        """For a message of the broker: `traceparent`."""
        headers: dict[str, str] = {}
        _W3C.inject(headers, self.as_parent())
        return headers

    def as_parent(self) -> Context:
        """For spans that the sender's wait has caused."""
        return set_span_in_context(NonRecordingSpan(self.context), Context())

    def admits(self) -> bool:
        """Whether one more delivery is told."""
        self._told += 1
        return self._told <= DELIVERIES


class MessageSpans:
    """Makes the spans of publishing and of delivering."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer(__name__)

    def publishing(self, origin: Origin | None) -> Span:
        """An event on its way to the broker, from now until its `end`; a child of the sender's wait."""
        if origin is None:
            return INVALID_SPAN
        return self._tracer.start_span(
            "publish chat.room", origin.as_parent(), SpanKind.PRODUCER, _attributes("publish", "send")
        )

    def deliveries(self) -> "Callable[[Sequence[Event]], AbstractContextManager[object]]":
        """Of the current stream, asked once: inside, what its reader took at once is written to it."""
        return self._delivering if get_current_span().is_recording() else _untold

    def _delivering(self, events: "Sequence[Event]") -> AbstractContextManager[object]:
        told = [event.origin for event in events if event.origin is not None and event.origin.admits()]
        if not told:
            return _NOTHING
        links = [Link(origin.context) for origin in told[:MOST_LINKS]]
        attributes = _attributes("deliver", "process") | {semconv.MESSAGING_BATCH_SIZE: len(events)}
        return span(self._tracer, "deliver chat.room", kind=SpanKind.CONSUMER, links=links, attributes=attributes)


def _untold(_: object) -> AbstractContextManager[object]:
    return _NOTHING


UNTOLD = MessageSpans(NoOpTracerProvider())


def dropped(publishing: Span) -> None:
    """Ends the span of an event that was not given to the broker."""
    failed(publishing, "dropped")
    publishing.end()


def _attributes(operation: str, kind: str) -> dict[str, str | int]:
    return {
        semconv.MESSAGING_SYSTEM: semconv.NATS,
        semconv.MESSAGING_OPERATION: operation,
        semconv.MESSAGING_OPERATION_TYPE: kind,
        semconv.MESSAGING_TEMPLATE: _ROOM,
    }
