"""Each call is a span, ended whatever ends the call, and its context goes on with the call."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import NoOpTracerProvider, SpanKind, StatusCode

from clients.channel import OPTIONS
from clients.spans import TracedChannel
from services.common import semconv
from tests.kit import Limit, eventually

PATH = "/test.Echo/"
SAMPLED = 0x01  # W3C Trace Context, trace-flags; the SDK sets 0x02 too: its ids are random
STREAMS = ("unary_stream", "stream_stream")


@dataclass(frozen=True)
class Echo:
    """A server of all kinds of call, its address, and what came with the calls."""

    server: grpc.aio.Server
    target: str
    came: list[dict[str, str]] = field(default_factory=list)


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    server = grpc.aio.server()
    made = Echo(server, f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}")

    async def unary(request: bytes, context: Any) -> bytes:
        made.came.append(dict(context.invocation_metadata()))
        if request == b"no":
            await context.abort(grpc.StatusCode.NOT_FOUND, "no")
        return request

    async def streamed(request: bytes, context: Any) -> AsyncIterator[bytes]:
        made.came.append(dict(context.invocation_metadata()))
        yield b"1"
        yield b"2"
        await _wait(request == b"wait")

    async def conversed(requests: Any, context: Any) -> AsyncIterator[bytes]:
        made.came.append(dict(context.invocation_metadata()))
        async for request in requests:
            yield request
            await _wait(request == b"wait")

    async def collected(requests: Any, context: Any) -> bytes:
        return b"".join([request async for request in requests])

    async def _wait(forever: bool) -> None:
        if forever:
            await asyncio.Event().wait()

    handlers: Any = {
        "unary_unary": grpc.unary_unary_rpc_method_handler(unary),
        "unary_stream": grpc.unary_stream_rpc_method_handler(streamed),
        "stream_unary": grpc.stream_unary_rpc_method_handler(collected),
        "stream_stream": grpc.stream_stream_rpc_method_handler(conversed),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", handlers),))
    await server.start()
    yield made
    await server.stop(0)


@dataclass(frozen=True)
class Traced:
    """A traced channel, and its spans that have ended."""

    channel: grpc.aio.Channel
    calls: TracedChannel
    spans: InMemorySpanExporter

    def begin(self, kind: str, *request: Any, **given: Any) -> Any:
        """A call of this kind."""
        return getattr(self.calls, kind)(f"{PATH}{kind}")(*request, **given)

    async def span(self) -> ReadableSpan:
        """The one that has ended, or does so now."""
        (span,) = await eventually(self.spans.get_finished_spans, what="the span's end")
        return span


@pytest.fixture
async def traced(echo: Echo) -> AsyncIterator[Traced]:
    spans, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    async with grpc.aio.insecure_channel(echo.target, options=OPTIONS) as channel:
        yield Traced(channel, TracedChannel(channel, echo.target, provider.get_tracer("test")), spans)


def said(span: ReadableSpan) -> dict[str, Any]:
    """Its attributes."""
    return dict(span.attributes or {})


def counts(span: ReadableSpan) -> tuple[Any, Any]:
    """Messages sent and received."""
    return said(span)[semconv.MESSAGES_SENT], said(span)[semconv.MESSAGES_RECEIVED]


async def test_a_call_is_a_clients_span_whose_context_goes_on(traced: Traced, echo: Echo) -> None:
    assert await traced.begin("unary_unary", b"hello", metadata=(("authorization", "me"),)) == b"hello"
    span = await traced.span()
    assert (span.name, span.kind) == ("test.Echo/unary_unary", SpanKind.CLIENT)
    host, port = echo.target.split(":")
    assert said(span) == {  # under the names that the services use, which clients may not import
        semconv.RPC_SYSTEM: semconv.GRPC,
        semconv.RPC_METHOD: "test.Echo/unary_unary",
        semconv.RPC_CODE: "OK",
        "server.address": host,
        "server.port": int(port),
    }
    (came,) = echo.came
    assert span.context is not None
    version, trace, parent, flags = came["traceparent"].split("-")
    assert (version, trace, parent) == ("00", f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}")
    assert int(flags, 16) & SAMPLED
    assert came["authorization"] == "me"


async def test_a_failed_call_is_an_error_with_its_code_and_without_its_text(traced: Traced) -> None:
    with pytest.raises(grpc.aio.AioRpcError):
        await traced.begin("unary_unary", b"no")
    span = await traced.span()
    assert (said(span)[semconv.RPC_CODE], said(span)[semconv.ERROR_TYPE]) == ("NOT_FOUND", "NOT_FOUND")
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "NOT_FOUND")
    assert not span.events


async def test_a_stream_that_is_iterated_over_is_counted(traced: Traced) -> None:
    assert [one async for one in traced.begin("unary_stream", b"")] == [b"1", b"2"]
    span = await traced.span()
    assert (said(span)[semconv.RPC_CODE], counts(span)) == ("OK", (1, 2))


async def test_a_stream_that_is_written_and_read_is_counted(traced: Traced) -> None:
    call = traced.begin("stream_stream")
    for text in (b"one", b"two", b"three"):
        await call.write(text)
        assert await call.read() == text
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    span = await traced.span()
    assert (said(span)[semconv.RPC_CODE], counts(span)) == ("OK", (3, 3))


async def test_one_answer_to_a_stream_can_be_awaited(traced: Traced) -> None:
    call = traced.begin("stream_unary")
    await call.write(b"one")
    await call.write(b"two")
    await call.done_writing()
    assert await call == b"onetwo"
    assert said(await traced.span())[semconv.MESSAGES_SENT] == 2


async def _asking(traced: Traced, kind: str, **given: Any) -> Any:
    """A stream of this kind that its server answers and leaves open."""
    call = traced.begin(kind, *([b"wait"] if kind == "unary_stream" else ()), **given)
    if kind == "stream_stream":
        await call.write(b"wait")
    return call


async def _waiting(traced: Traced, kind: str) -> Any:
    """The same after one message."""
    call = await _asking(traced, kind)
    await call.read()
    assert not traced.spans.get_finished_spans()
    return call


@pytest.mark.parametrize("kind", STREAMS)
async def test_a_stream_that_is_cancelled_ends_its_span(traced: Traced, kind: str) -> None:
    (await _waiting(traced, kind)).cancel()
    span = await traced.span()
    assert (said(span)[semconv.RPC_CODE], counts(span)) == ("CANCELLED", (1, 1))


@pytest.mark.parametrize("kind", STREAMS)
async def test_a_stream_whose_deadline_comes_ends_its_span(traced: Traced, kind: str) -> None:
    for seconds in (0.5, 5, 50):  # long enough to read something before
        traced.spans.clear()
        with pytest.raises((grpc.aio.AioRpcError, asyncio.InvalidStateError)):  # the latter of a write that is too late
            call = await _asking(traced, kind, timeout=seconds)
            while True:
                await call.read()
        span = await traced.span()
        assert said(span)[semconv.RPC_CODE] == "DEADLINE_EXCEEDED"
        sent, received = counts(span)
        if received:
            break
    assert sent == 1 and received > 0


@pytest.mark.parametrize("kind", STREAMS)
async def test_a_stream_whose_server_goes_away_ends_its_span(traced: Traced, echo: Echo, kind: str) -> None:
    call = await _waiting(traced, kind)
    await echo.server.stop(0)
    with pytest.raises(grpc.aio.AioRpcError):
        while True:
            await call.read()
    assert said(await traced.span())[semconv.RPC_CODE] == "UNAVAILABLE"


@pytest.mark.parametrize("kind", STREAMS)
async def test_a_stream_that_nobody_ends_is_ended_with_its_channel(traced: Traced, kind: str) -> None:
    call = await _waiting(traced, kind)
    traced.calls.close()
    (span,) = traced.spans.get_finished_spans()
    assert (said(span)[semconv.RPC_CODE], counts(span)) == ("CANCELLED", (1, 1))
    call.cancel()
    await asyncio.wait_for(call.code(), Limit.SOON.value)
    assert len(traced.spans.get_finished_spans()) == 1


async def test_a_call_that_cannot_be_made_ends_its_span_with_its_channel(traced: Traced) -> None:
    await traced.channel.close()
    with pytest.raises(grpc.aio.UsageError):
        traced.begin("unary_unary", b"hello")
    traced.calls.close()
    assert said(await traced.span())[semconv.RPC_CODE] == "CANCELLED"


async def test_a_call_that_is_cancelled_before_it_begins_ends_its_span(traced: Traced) -> None:
    traced.begin("unary_unary", b"hello").cancel()
    assert said(await traced.span())[semconv.RPC_CODE] == "CANCELLED"


async def test_who_decides_against_a_trace_says_so_to_the_mesh(traced: Traced, echo: Echo) -> None:
    tracer = TracerProvider(sampler=ALWAYS_OFF).get_tracer("test")
    await TracedChannel(traced.channel, echo.target, tracer).unary_unary(f"{PATH}unary_unary")(b"")
    assert not int(echo.came[0]["traceparent"].split("-")[3], 16) & SAMPLED


async def test_without_a_provider_a_call_is_made_as_it_is(traced: Traced, echo: Echo) -> None:
    calls = TracedChannel(traced.channel, echo.target, NoOpTracerProvider().get_tracer("test"))
    stream = calls.stream_stream(f"{PATH}stream_stream")()
    assert isinstance(stream, grpc.aio.StreamStreamCall)
    stream.cancel()
    await calls.unary_unary(f"{PATH}unary_unary")(b"")
    assert "traceparent" not in echo.came[-1]
