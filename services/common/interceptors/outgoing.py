"""The client side: each outgoing call gets the current call's token and what is left of its time, and is counted.

grpc.aio wants one interceptor object for each of the four kinds (an object that is all four is registered for the
first only); all four do the same here.
"""

import time
from typing import Any

import grpc
import grpc.aio
from opentelemetry import trace

from services.common import deadline, identity
from services.common.interceptors import access, tracing
from services.common.interceptors.chain import Method
from services.common.interceptors.finished import code_when_done
from services.common.interceptors.metrics import CallMetrics, MethodMetrics, counted_messages
from services.common.interceptors.tally import Tally


class _Outgoing:
    """What the four kinds share."""

    def __init__(self, metrics: CallMetrics, default_seconds: float) -> None:
        self._metrics = metrics
        self._default_seconds = default_seconds
        self._methods: dict[Any, tuple[Method, MethodMetrics]] = {}

    async def _made(self, continuation: Any, details: Any, request: Any, *, requests: bool, responses: bool) -> Any:
        known = self._methods.get(details.method)
        if known is None:
            method = Method.parse(details.method, streams_requests=requests, streams_responses=responses)
            known = self._methods[details.method] = (method, self._metrics.of(method))
        method, metrics = known
        begun = time.perf_counter()
        span = trace.get_current_span()
        told = Tally()
        metrics.began()
        if requests:
            request = counted_messages(request, metrics.sent, told.send)
        else:
            metrics.sent.inc()
            told.send(request)
        call = await continuation(self._with_context(details, limited=not method.streams), request)

        def ended(code: grpc.StatusCode) -> None:
            if not responses and code is grpc.StatusCode.OK:
                metrics.received.inc()
            metrics.ended(code, time.perf_counter() - begun)
            if method.streams:
                tracing.add_counts(span, told)
            access.write(
                "called",
                method.path,
                code,
                begun,
                span=span.get_span_context(),
                request_bytes=told.sent_bytes,
                response_bytes=told.received_bytes if responses else None,
            )

        code_when_done(call, ended)
        return counted_messages(call, metrics.received, told.receive) if responses else call

    def _with_context(self, details: Any, *, limited: bool) -> Any:
        metadata = grpc.aio.Metadata(*(details.metadata or ()))
        caller = identity.current_or_none()
        if caller is not None and metadata.get("authorization") is None:
            metadata.add("authorization", f"Bearer {caller.token}")
        limits = [one for one in (details.timeout, deadline.remaining_seconds()) if one is not None]
        timeout = min(limits) if limits else self._default_seconds if limited else None
        return details._replace(metadata=metadata, timeout=timeout)


class _UnaryUnary(_Outgoing, grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        return await self._made(continuation, details, request, requests=False, responses=False)


class _UnaryStream(_Outgoing, grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(self, continuation: Any, details: Any, request: Any) -> Any:
        return await self._made(continuation, details, request, requests=False, responses=True)


class _StreamUnary(_Outgoing, grpc.aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(self, continuation: Any, details: Any, requests: Any) -> Any:
        return await self._made(continuation, details, requests, requests=True, responses=False)


class _StreamStream(_Outgoing, grpc.aio.StreamStreamClientInterceptor):
    async def intercept_stream_stream(self, continuation: Any, details: Any, requests: Any) -> Any:
        return await self._made(continuation, details, requests, requests=True, responses=True)


def client_interceptors(metrics: CallMetrics, *, default_seconds: float) -> list[grpc.aio.ClientInterceptor]:
    """One interceptor for each kind. `default_seconds` is for unary calls where neither side has a deadline."""
    return [kind(metrics, default_seconds) for kind in (_UnaryUnary, _UnaryStream, _StreamUnary, _StreamStream)]
