"""Traces as messages."""

from localmesh.control import control_pb2 as messages
from localmesh.observe.traces import NANOSECONDS, Trace, Wanted

# Listed where nobody says how many.
MOST_TRACES = 100


def decode_filter(message: messages.TraceFilter) -> Wanted:
    """The traces that the message asks for."""
    return Wanted(message.service, message.failed, message.slower_than_seconds)


def encode_trace(trace: Trace) -> messages.TraceSummary:
    """The message that says the same of the trace as a whole."""
    root = trace.root
    return messages.TraceSummary(
        id=trace.id,
        service=root.source.service,
        name=root.what,
        started_at=trace.begin / NANOSECONDS,
        seconds=trace.seconds,
        spans=len(trace.spans),
        services=trace.services,
        failed=trace.failed,
        status=root.status,
    )


def encode_spans(trace: Trace) -> messages.GetTraceResponse:
    """All spans of the trace."""
    from localmesh.observe import otlp  # noqa: PLC0415  (a start does not wait for it)

    return messages.GetTraceResponse(otlp=otlp.encode(trace.spans))
