"""Counts of calls and messages under the names of go-grpc-prometheus, so that public dashboards work as they are.

Labels grpc_type, grpc_service, grpc_method, and for the handled calls grpc_code (`OK`, `NotFound`: Go's words). Beside
them the duration of calls under the name that OpenTelemetry's conventions have for it, and the streams that are open.
The children of a method are looked up once, not for each call: labels() costs more than counting.
"""

import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.common import semconv
from services.common.interceptors import tally
from services.common.interceptors.chain import Behaviour, Method, StreamContext, each_received
from services.common.interceptors.outcome import code_of

_METHOD = ("grpc_type", "grpc_service", "grpc_method")
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)


def go_name(code: grpc.StatusCode) -> str:
    """`NOT_FOUND` -> `NotFound`; OK stays, and Go writes Canceled."""
    words = {grpc.StatusCode.OK: "OK", grpc.StatusCode.CANCELLED: "Canceled"}
    return words.get(code) or code.name.title().replace("_", "")


class CallMetrics:
    """The metrics of one side, `server` or `client`, in a registry of the caller's."""

    def __init__(self, registry: CollectorRegistry, side: str) -> None:
        def counter(name: str, what: str, *labels: str) -> Counter:
            return Counter(f"grpc_{side}_{name}", what, (*_METHOD, *labels), registry=registry)

        self._started = counter("started_total", f"Calls started on the {side}.")
        self._handled = counter("handled_total", f"Calls completed on the {side}.", "grpc_code")
        self._received = counter("msg_received_total", f"Messages received on the {side}.")
        self._sent = counter("msg_sent_total", f"Messages sent by the {side}.")
        self._seconds = Histogram(
            f"grpc_{side}_handling_seconds",
            f"From start to end of a call on the {side}, in seconds.",
            _METHOD,
            buckets=_BUCKETS,
            registry=registry,
        )
        self._duration = Histogram(
            semconv.rpc_duration(side),
            f"From start to end of a call on the {side}, in seconds.",
            semconv.RPC_LABELS,
            buckets=semconv.RPC_BUCKETS,
            registry=registry,
        )
        self._open_streams = Gauge(
            f"rpc_{side}_open_streams", f"Streams that are open on the {side}.", ("rpc_method",), registry=registry
        )

    def of(self, method: Method) -> "MethodMetrics":
        """The metrics of one method."""
        labels = (method.kind, method.service or semconv.OTHER, method.name)
        return MethodMetrics(
            started=self._started.labels(*labels),
            received=self._received.labels(*labels),
            sent=self._sent.labels(*labels),
            seconds=self._seconds.labels(*labels),
            open_streams=self._open_streams.labels(method.full_name) if method.streams else None,
            ends=lambda code: (
                self._handled.labels(*labels, go_name(code)),
                self._duration.labels(semconv.GRPC, method.full_name, code.name, error_type(code)),
            ),
        )

    def counted(self, method: Method, proceed: Behaviour) -> Behaviour:
        """The layer of the server side."""
        metrics = self.of(method)
        return (_counted_stream if method.streams else _counted_unary)(metrics, method, proceed)


class MethodMetrics:
    """One method's children of the metrics."""

    def __init__(
        self,
        *,
        started: Counter,
        received: Counter,
        sent: Counter,
        seconds: Histogram,
        open_streams: Gauge | None,
        ends: Callable[[grpc.StatusCode], tuple[Counter, Histogram]],
    ) -> None:
        """`ends` are the children for calls that end with a code."""
        self.received = received
        self.sent = sent
        self._started = started
        self._seconds = seconds
        self._open_streams = open_streams
        self._ends = ends
        self._by_code: dict[grpc.StatusCode, tuple[Counter, Histogram]] = {}

    def began(self) -> None:
        """One call began."""
        self._started.inc()
        if self._open_streams is not None:
            self._open_streams.inc()

    def ended(self, code: grpc.StatusCode, seconds: float) -> None:
        """One call ended with this code after so long."""
        ends = self._by_code.get(code)
        if ends is None:
            ends = self._by_code[code] = self._ends(code)
        handled, duration = ends
        handled.inc()
        self._seconds.observe(seconds)
        duration.observe(seconds)
        if self._open_streams is not None:
            self._open_streams.dec()


def error_type(code: grpc.StatusCode) -> str:
    """The code of a call that failed, or nothing."""
    return "" if code is grpc.StatusCode.OK else code.name


def _counted_unary(metrics: MethodMetrics, method: Method, proceed: Behaviour) -> Behaviour:
    async def behaviour(request: Any, context: Any) -> Any:
        begun = time.perf_counter()
        metrics.began()
        metrics.received.inc()
        told = tally.begin()
        told.receive(request)
        raised: BaseException | None = None
        try:
            response = await proceed(request, context)
            metrics.sent.inc()
            told.send(response)
        except BaseException as error:
            raised = error
            raise
        else:
            return response
        finally:
            metrics.ended(code_of(raised, context), time.perf_counter() - begun)

    return behaviour


def _counted_stream(metrics: MethodMetrics, method: Method, proceed: Behaviour) -> Behaviour:
    async def behaviour(request: Any, context: Any) -> Any:
        begun = time.perf_counter()
        metrics.began()
        told = tally.begin()

        def received(message: Any) -> None:
            metrics.received.inc()
            told.receive(message)

        def sending(message: Any) -> None:
            metrics.sent.inc()
            told.send(message)

        if method.streams_requests:
            request = each_received(request, received)
        else:
            received(request)
        raised: BaseException | None = None
        try:
            response = await proceed(request, StreamContext(context, received, sending))
            if not method.streams_responses:
                sending(response)
        except BaseException as error:
            raised = error
            raise
        else:
            return response
        finally:
            metrics.ended(code_of(raised, context), time.perf_counter() - begun)

    return behaviour


async def counted_messages(messages: Any, counter: Counter, count: Callable[[Any], None]) -> AsyncIterator[Any]:
    """The same messages, counted. gRPC takes plain iterators of requests too."""
    if hasattr(messages, "__aiter__"):
        async for message in messages:
            counter.inc()
            count(message)
            yield message
    else:
        for message in messages:
            counter.inc()
            count(message)
            yield message
