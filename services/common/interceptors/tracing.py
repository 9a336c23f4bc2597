"""Spans by opentelemetry-instrumentation-grpc, with its two known faults for grpc.aio mended here and nowhere else.

open-telemetry/opentelemetry-python-contrib#3066: its server side iterates over every streaming handler, so a handler
that calls `context.write` fails. Our chain has made a coroutine of each handler before, so its wrapper for unary
handlers is right for all four kinds.

#3271: its client side waits for the call's end inside the interceptor, so a cancelled call never ends its span, and a
stream that is cancelled or not read to the end does so late or never. Here a done-callback ends the span, set as soon
as the call exists: it comes whatever ends the call, and only once.

Beside the package's older attributes (rpc.system, rpc.service, rpc.grpc.status_code) the spans have those of the
conventions' release candidate; rpc.method and the span's name are theirs. A stream's span has the number of messages.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import grpc
import grpc.aio
from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.instrumentation.grpc._aio_client import (
    StreamStreamAioClientInterceptor,
    StreamUnaryAioClientInterceptor,
    UnaryStreamAioClientInterceptor,
    UnaryUnaryAioClientInterceptor,
)
from opentelemetry.instrumentation.grpc._aio_server import OpenTelemetryAioServerInterceptor
from opentelemetry.propagate import extract
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from services.common import semconv
from services.common.interceptors import tally
from services.common.interceptors.chain import INFRASTRUCTURE, Behaviour, Layer, Method
from services.common.interceptors.finished import code_when_done
from services.common.interceptors.outcome import code_of
from services.common.interceptors.tally import Tally

_OLDER_CODE = "rpc.grpc.status_code"

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


class _Raised:
    """What a handler raised, carried past the instrumentation as a value: it would record each NotFound as a crash."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


def traced(provider: TracerProvider) -> Layer:
    """The layer of the server side: one span for each call but probes and reflection, a child of `traceparent`."""
    theirs = OpenTelemetryAioServerInterceptor(provider.get_tracer(__name__))  # type: ignore[no-untyped-call]

    def layer(method: Method, proceed: Behaviour) -> Behaviour:
        if method.service in INFRASTRUCTURE:
            return proceed

        async def carried(request: Any, context: Any) -> Any:
            span = trace.get_current_span()
            _name(span, method.full_name)
            raised: BaseException | None = None
            try:
                return await proceed(request, context)
            except BaseException as error:
                raised = error
                return _Raised(error)
            finally:
                if span.is_recording():
                    code = code_of(raised, context)
                    _finish(span, code, failed=code in _SERVER_FAULTS)
                    if method.streams:
                        add_counts(span, tally.current())

        details = SimpleNamespace(method=f"/{method.service or semconv.OTHER}/{method.name}")
        spanned = theirs._intercept_aio_server_unary(carried, details)  # type: ignore[no-untyped-call]

        async def behaviour(request: Any, context: Any) -> Any:
            known = _unrecorded(provider, method.full_name, context)
            if known is not None:
                token = attach(known)
                try:
                    return await proceed(request, context)
                finally:
                    detach(token)
            result = await spanned(request, context)
            if isinstance(result, _Raised):
                raise result.error
            return result

        return behaviour

    return layer


def _unrecorded(provider: TracerProvider, name: str, call: Any) -> Context | None:
    """The context that came with a call of which nothing is to be recorded; None if it came with none, or something is.

    Such a call goes on under its caller's span: where few calls are traced that is most of them, and a span that
    records nothing would cost 50 µs of CPU (`make bench-profile`).
    """
    came = {key: value for key, value in call.invocation_metadata() or () if key in _PROPAGATED}
    if not came:
        return None
    context = extract(came)
    span = trace.get_current_span(context).get_span_context()
    if not span.is_valid:
        return None
    sampled = provider.sampler.should_sample(context, span.trace_id, name, SpanKind.SERVER).decision
    return context if sampled is Decision.DROP else None


class _EndedByTheCall:
    """What the four client interceptors get wrong, put right; first among their bases."""

    @contextmanager
    def _start_interceptor_span(self, method: Any) -> Iterator[Span]:
        with super()._start_interceptor_span(method) as span:  # type: ignore[misc]
            _name(span, method.decode() if isinstance(method, bytes) else method)
            try:
                yield span
            except BaseException:  # the call was never made
                span.set_status(Status(StatusCode.ERROR))
                span.end()
                raise

    async def _wrap_unary_response(self, continuation: Callable[[], Any], span: Span) -> Any:
        return self._wrap_stream_response(span, await continuation())

    def _wrap_stream_response(self, span: Span, call: Any) -> Any:
        def ended(code: grpc.StatusCode) -> None:
            _finish(span, code, failed=code is not grpc.StatusCode.OK)
            span.end()

        code_when_done(call, ended)
        return call


class _UnaryUnary(_EndedByTheCall, UnaryUnaryAioClientInterceptor):
    pass


class _UnaryStream(_EndedByTheCall, UnaryStreamAioClientInterceptor):
    pass


class _StreamUnary(_EndedByTheCall, StreamUnaryAioClientInterceptor):
    pass


class _StreamStream(_EndedByTheCall, StreamStreamAioClientInterceptor):
    pass


def client_interceptors(provider: trace.TracerProvider) -> list[grpc.aio.ClientInterceptor]:
    """The client side, one interceptor for each kind of call: a span each, and `traceparent` sent on."""
    tracer = provider.get_tracer(__name__)
    return [kind(tracer) for kind in (_UnaryUnary, _UnaryStream, _StreamUnary, _StreamStream)]


def add_counts(span: Span, told: Tally) -> None:
    """Says how many messages a stream carried."""
    if span.is_recording():
        span.set_attributes({semconv.MESSAGES_RECEIVED: told.received, semconv.MESSAGES_SENT: told.sent})


def _name(span: Span, method: str) -> None:
    if span.is_recording():
        name = method.removeprefix("/")
        span.update_name(name)
        span.set_attributes({semconv.RPC_SYSTEM: semconv.GRPC, semconv.RPC_METHOD: name})


def _finish(span: Span, code: grpc.StatusCode, *, failed: bool) -> None:
    """`failed`: whether it is the fault of the span's side."""
    if span.is_recording():
        span.set_attributes({semconv.RPC_CODE: code.name, _OLDER_CODE: code.value[0]})
        if failed:
            span.set_attribute(semconv.ERROR_TYPE, code.name)
            span.set_status(Status(StatusCode.ERROR, code.name))
