"""A span for each call, named as OpenTelemetry's RPC conventions have it, whose context (W3C) goes on with the call.

Calls are made as ever and only listened to: grpc.aio's interceptors would put a queue between a stream and who writes
it, and those of OpenTelemetry end the span of a cancelled call late or never (opentelemetry-python-contrib#3271).
Where no provider of spans is set (`clients.tracing` sets one), a call is made as if this module were not here.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partialmethod
from typing import Any

import grpc
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, get_tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_W3C = TraceContextTextMapPropagator()


class CallSpan:
    """The span of one call, from now until it has `ended`; of a stream with the numbers of its messages."""

    def __init__(self, path: str, target: str, tracer: Tracer | None = None, *, streams: bool) -> None:
        """`path` is the method's: `/user.v1.UserService/GetUser`."""
        name = path.removeprefix("/")
        host, _, port = target.rpartition(":")
        attributes = {"rpc.system.name": "grpc", "rpc.method": name, "server.address": host or target}
        tracer = tracer or get_tracer(__name__)
        self._span: Span = tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes)
        if port.isdigit():
            self._span.set_attribute("server.port", int(port))
        self._streams = streams
        self.sent = self.received = 0

    @property
    def is_recording(self) -> bool:
        """Whether anybody is told of it, and it has not ended."""
        return self._span.is_recording()

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What goes on with the call: nothing where there is no trace."""
        carrier: dict[str, str] = {}
        _W3C.inject(carrier, set_span_in_context(self._span))
        return tuple(carrier.items())

    def sending(self, messages: Iterable[Any]) -> Iterator[Any]:
        """The same messages, counted."""
        for message in messages:
            self.sent += 1
            yield message

    def ended(self, code: grpc.StatusCode) -> None:
        """The call is over; only the first word counts."""
        if not self._span.is_recording():
            return
        self._span.set_attribute("rpc.response.status_code", code.name)
        if self._streams:
            self._span.set_attributes({"grpc.messages.sent": self.sent, "grpc.messages.received": self.received})
        if code is not grpc.StatusCode.OK:
            self._span.set_attribute("error.type", code.name)
            self._span.set_status(Status(StatusCode.ERROR, code.name))
        self._span.end()


class TracedChannel:
    """Makes the calls of a channel, each with a span: all that generated stubs ask a channel for.

    A stream of requests is written to its call, not given as an iterator.
    """

    def __init__(self, channel: grpc.aio.Channel, target: str, tracer: Tracer) -> None:
        self._channel, self._target, self._tracer = channel, target, tracer
        self._open: set[CallSpan] = set()

    def _callable(self, kind: str, path: str, *given: Any, **named: Any) -> Callable[..., Any]:
        make = getattr(self._channel, kind)(path, *given, **named)
        streams = kind != "unary_unary"

        def call(*request: Any, metadata: Any = None, **options: Any) -> Any:
            span = CallSpan(path, self._target, self._tracer, streams=streams)
            if span.is_recording:
                self._open.add(span)
            made = make(*request, metadata=(*(metadata or ()), *span.metadata), **options)
            if not span.is_recording:
                return made
            span.sent = len(request)
            made.add_done_callback(lambda over: self._ended(span, _code(over)))
            return _Counted(made, span) if streams else made

        return call

    unary_unary = partialmethod(_callable, "unary_unary")
    unary_stream = partialmethod(_callable, "unary_stream")
    stream_unary = partialmethod(_callable, "stream_unary")
    stream_stream = partialmethod(_callable, "stream_stream")

    def _ended(self, span: CallSpan, code: grpc.StatusCode) -> None:
        self._open.discard(span)
        span.ended(code)

    def close(self) -> None:
        """Ends what is open: nobody will be told any more how those calls end."""
        for span in tuple(self._open):
            self._ended(span, grpc.StatusCode.CANCELLED)


@contextmanager
def traced(channel: grpc.aio.Channel, target: str) -> Iterator[Any]:
    """The channel with a span for each call, for stubs that are used inside the block."""
    made = TracedChannel(channel, target, get_tracer(__name__))
    try:
        yield made
    finally:
        made.close()


class _Counted:
    """A stream's call whose messages are counted; all else is the call's own."""

    def __init__(self, call: Any, span: CallSpan) -> None:
        self._call, self._span = call, span

    async def read(self) -> Any:
        """The next response, or grpc.aio.EOF."""
        message = await self._call.read()
        if message is not grpc.aio.EOF:
            self._span.received += 1
        return message

    async def write(self, message: Any) -> None:
        """Sends one request."""
        await self._call.write(message)
        self._span.sent += 1

    async def __aiter__(self) -> AsyncIterator[Any]:
        """The responses."""
        async for message in self._call:
            self._span.received += 1
            yield message

    def __await__(self) -> Any:
        """The one response of a stream of requests."""
        return self._call.__await__()

    def __getattr__(self, name: str) -> Any:
        """Everything else."""
        return getattr(self._call, name)


def _code(call: Any) -> grpc.StatusCode:
    """The code of a finished call: its `code()` is a coroutine that waits for the end, so now it returns at once."""
    asking = call.code()
    try:
        asking.send(None)
    except StopIteration as answer:
        code: grpc.StatusCode = answer.value
        return code
    asking.close()
    return grpc.StatusCode.UNKNOWN
