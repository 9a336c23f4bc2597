"""A span for each call, on both sides, as OpenTelemetry's conventions for RPC have it (`semconv`).

Made here and not by opentelemetry-instrumentation-grpc: its server side fails with handlers that call `context.write`
(opentelemetry-python-contrib#3066), its client side never ends the span of a cancelled call (#3271), and to load it
would be a tenth of a service's start. A client's span is ended by a done-callback, set as soon as the call exists: it
comes whatever ends the call, and only once. A stream's span has the number of messages.
"""

from collections.abc import Mapping
from typing import Any

import grpc
import grpc.aio
from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.propagate import extract, inject
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from services.common import semconv
from services.common.interceptors import tally
from services.common.interceptors.chain import INFRASTRUCTURE, Behaviour, Layer, Method
from services.common.interceptors.finished import code_when_done
from services.common.interceptors.outcome import code_of, planned_end
from services.common.interceptors.tally import Tally

# On the server side these are faults of ours; the others are the caller's (OTel's conventions for RPC).
_SERVER_FAULTS = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)

# The W3C trace context, which is all that is propagated (services.common.telemetry).
_PROPAGATED = frozenset({"traceparent", "tracestate"})


def traced(provider: TracerProvider) -> Layer:
    """The layer of the server side: one span for each call but probes and reflection, a child of `traceparent`."""
    tracer = provider.get_tracer(__name__)

    def layer(method: Method, proceed: Behaviour) -> Behaviour:
        if method.service in INFRASTRUCTURE:
            return proceed
        name, attributes = method.full_name, _said(method.full_name)

        async def behaviour(request: Any, call: Any) -> Any:
            came = _came(call)
            if came is not None and _unrecorded(provider, name, came):
                token = attach(came)
                try:
                    return await proceed(request, call)
                finally:
                    detach(token)
            span = tracer.start_span(name, came, SpanKind.SERVER, attributes)
            # What is raised is no event of the span: each NotFound would look like a crash.
            with trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
                raised: BaseException | None = None
                try:
                    return await proceed(request, call)
                except BaseException as error:
                    raised = error
                    raise
                finally:
                    if span.is_recording():
                        code, planned = code_of(raised, call), planned_end(raised)
                        _finish(span, code, failed=code in _SERVER_FAULTS and not planned)
                        if planned:
                            span.set_attribute(semconv.STREAM_ENDED, planned)
                        if method.streams:
                            add_counts(span, tally.current())

        return behaviour

    return layer


def _came(call: Any) -> Context | None:
    """The trace context that came with a call, if any did; of several `tracestate` all count (W3C)."""
    carrier: dict[str, list[str]] = {}
    for key, value in call.invocation_metadata() or ():
        if key in _PROPAGATED:
            carrier.setdefault(key, []).append(value)
    return extract(carrier) if carrier else None


def _unrecorded(provider: TracerProvider, name: str, came: Context) -> bool:
    """Whether nothing is to be recorded of a call that came with this context.

    It goes on under its caller's span, its log lines too: one of its own would be told to nobody.
    """
    caller = trace.get_current_span(came).get_span_context()
    if not caller.is_valid:
        return False
    sampled = provider.sampler.should_sample(came, caller.trace_id, name, SpanKind.SERVER)
    return sampled.decision is Decision.DROP


class _Spanned:
    """What the four client interceptors share: grpc.aio wants an object for each kind of call."""

    def __init__(self, tracer: trace.Tracer, server: Mapping[str, str | int]) -> None:
        self._tracer, self._server = tracer, server

    async def _made(self, continuation: Any, details: Any, request: Any) -> Any:
        # grpc.aio gives bytes where its type says str (grpc#31092).
        method = details.method.decode() if isinstance(details.method, bytes) else details.method
        name = method.removeprefix("/")
        span = self._tracer.start_span(name, kind=SpanKind.CLIENT, attributes={**_said(name), **self._server})

        def ended(code: grpc.StatusCode) -> None:
            _finish(span, code, failed=code is not grpc.StatusCode.OK)
            span.end()

        with trace.use_span(span, record_exception=False, set_status_on_exception=False):
            metadata = grpc.aio.Metadata(*(details.metadata or ()))
            inject(metadata)
            try:
                call = await continuation(details._replace(metadata=metadata), request)
            except BaseException:  # the call was never made
                span.set_status(Status(StatusCode.ERROR))
                span.end()
                raise
        code_when_done(call, ended)
        return call


class _UnaryUnary(_Spanned, grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        return await self._made(continuation, details, request)


class _UnaryStream(_Spanned, grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(self, continuation: Any, details: Any, request: Any) -> Any:
        return await self._made(continuation, details, request)


class _StreamUnary(_Spanned, grpc.aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(self, continuation: Any, details: Any, requests: Any) -> Any:
        return await self._made(continuation, details, requests)


class _StreamStream(_Spanned, grpc.aio.StreamStreamClientInterceptor):
    async def intercept_stream_stream(self, continuation: Any, details: Any, requests: Any) -> Any:
        return await self._made(continuation, details, requests)


def client_interceptors(provider: trace.TracerProvider, target: str) -> list[grpc.aio.ClientInterceptor]:
    """The client side of a channel to `target`, one interceptor for each kind of call.

    Each call gets a span, and sends `traceparent` on.
    """
    tracer, server = provider.get_tracer(__name__), semconv.server(target)
    return [kind(tracer, server) for kind in (_UnaryUnary, _UnaryStream, _StreamUnary, _StreamStream)]


def add_counts(span: Span, told: Tally) -> None:
    """Says how many messages a stream carried."""
    if span.is_recording():
        span.set_attributes({semconv.MESSAGES_RECEIVED: told.received, semconv.MESSAGES_SENT: told.sent})


def _said(name: str) -> dict[str, str]:
    return {semconv.RPC_SYSTEM: semconv.GRPC, semconv.RPC_METHOD: name}


def _finish(span: Span, code: grpc.StatusCode, *, failed: bool) -> None:
    """`failed`: whether it is the fault of the span's side."""
    if span.is_recording():
        span.set_attribute(semconv.RPC_CODE, code.name)
        if failed:
            span.set_attribute(semconv.ERROR_TYPE, code.name)
            span.set_status(Status(StatusCode.ERROR, code.name))
