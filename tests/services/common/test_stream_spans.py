"""A stream has one span with the numbers of its messages, ended whatever ends the stream."""

import asyncio
import signal
import sys
from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from tests.kit import Limit, eventually
from tests.services.common.conftest import Serve, Served
from tests.services.common.echo import METHODS, NAME, finish, start

STREAMS = ("server_stream", "client_stream", "bidi_stream")
# What each kind carries when its second message makes the handler wait: received and sent by the server.
BEFORE_THE_WAIT = {"server_stream": (1, 2), "client_stream": (2, 0), "bidi_stream": (2, 1)}


async def _span(served: Served, side: str = "SERVER") -> ReadableSpan:
    """The only span of this side, as soon as it has ended; none follows it."""
    await eventually(lambda: served.finished(side), what=f"the {side} span ends")
    (span,) = served.finished(side)
    return span


def _said(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def _counts(span: ReadableSpan) -> tuple[Any, Any]:
    said = _said(span)
    return said["grpc.messages.received"], said["grpc.messages.sent"]


async def _waits(served: Served, kind: str) -> Any:
    """A call of this kind whose handler has had its messages and waits, and what reads it."""
    call = start(served.stub, kind, "wait", metadata=served.bearer, messages=2)
    reading = asyncio.create_task(finish(call))
    await eventually(lambda: served.echo.waiting == 1, what="the handler waits")
    return reading


async def _in_time(served: Served, kind: str, seconds: float) -> ReadableSpan | None:
    """The span of a call that its deadline ends; None if that came before the handler had its messages."""
    call = start(served.stub, kind, "wait", metadata=served.bearer, messages=2, timeout=seconds)
    reading = asyncio.create_task(finish(call))
    await eventually(lambda: served.echo.waiting or reading.done(), within=Limit.STARTED, what="it waits or is over")
    in_time = bool(served.echo.waiting)
    ended = await asyncio.gather(reading, return_exceptions=True)
    if not in_time:
        return None
    error = ended[0]
    assert isinstance(error, grpc.aio.AioRpcError) and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    return await _span(served)


@pytest.mark.parametrize("kind", STREAMS)
async def test_a_stream_that_ends_well_says_how_many_messages_it_carried(serve: Serve, style: str, kind: str) -> None:
    """On both sides, each as it sees them; a unary call says nothing of the kind."""
    async with serve(style=style) as served:
        await finish(start(served.stub, kind, metadata=served.bearer, messages=2))
        server, client = await _span(served), await _span(served, "CLIENT")
        served.spans.clear()
        await finish(start(served.stub, "unary", metadata=served.bearer))
        unary = await _span(served)
    expected = {"server_stream": (1, 2), "client_stream": (2, 1), "bidi_stream": (2, 2)}[kind]
    assert _counts(server) == expected
    sent_by_client = 1 if kind == "server_stream" else 2
    assert _said(client)["grpc.messages.sent"] == sent_by_client
    assert "grpc.messages.sent" not in _said(unary)


@pytest.mark.parametrize("kind", STREAMS)
async def test_one_that_its_client_cancels(serve: Serve, style: str, kind: str) -> None:
    async with serve(style=style) as served:
        reading = await _waits(served, kind)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        span = await _span(served)
    assert (_said(span)["rpc.response.status_code"], _counts(span)) == ("CANCELLED", BEFORE_THE_WAIT[kind])
    assert span.status.status_code is StatusCode.UNSET  # the client's business


@pytest.mark.parametrize("kind", STREAMS)
async def test_one_whose_deadline_comes(serve: Serve, style: str, kind: str) -> None:
    for seconds in (0.3, 3, 30):  # long enough for the handler to have its messages before
        async with serve(style=style) as served:
            span = await _in_time(served, kind, seconds)
        if span is not None:
            break
    assert span is not None
    said = _said(span)
    assert (said["rpc.response.status_code"], said["error.type"]) == ("DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED")
    assert _counts(span) == BEFORE_THE_WAIT[kind]


async def test_one_that_the_drain_ends(serve: Serve, style: str) -> None:
    """As it was meant to: no error, and the span says why."""
    async with serve(style=style) as served:
        call = start(served.stub, "server_stream", "live", metadata=served.bearer)
        await call.read(), await call.read()
        served.drain.begin()
        with pytest.raises(grpc.aio.AioRpcError, match="UNAVAILABLE"):
            await call.read()
        span = await _span(served)
    said = _said(span)
    assert (said["rpc.response.status_code"], said["grpc.stream.ended"]) == ("UNAVAILABLE", "STREAM_DRAINING")
    assert (span.status.status_code, "error.type" in said, _counts(span)) == (StatusCode.UNSET, False, (1, 2))


@pytest.mark.parametrize("kind", STREAMS)
async def test_one_that_a_stop_cuts(serve: Serve, style: str, kind: str) -> None:
    """Its handler does not look at the drain, and the grace is over."""
    async with serve(style=style, drain_seconds=0.1) as served:
        reading = await _waits(served, kind)
    with pytest.raises(grpc.aio.AioRpcError):
        await reading
    assert _counts(await _span(served)) == BEFORE_THE_WAIT[kind]


_CLIENT = """
import asyncio, sys, grpc.aio
from protos.chat.v1 import chat_pb2_grpc
from tests.services.common.echo import finish, start
async def main():
    stub = chat_pb2_grpc.ChatServiceStub(grpc.aio.insecure_channel(sys.argv[1]))
    await finish(start(stub, sys.argv[2], "wait", metadata=(("authorization", sys.argv[3]),), messages=2))
asyncio.run(main())
"""


@pytest.mark.parametrize("kind", STREAMS)
async def test_one_whose_client_is_killed(serve: Serve, style: str, kind: str) -> None:
    """SIGKILL: it says nothing, its connection is gone."""
    async with serve(style=style) as served:
        bearer = dict(served.bearer)["authorization"]
        client = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _CLIENT, served.settings.grpc_listen, kind, bearer
        )
        try:
            await eventually(lambda: served.echo.waiting == 1, within=Limit.STARTED, what="the handler waits")
        finally:
            client.send_signal(signal.SIGKILL)
            await client.wait()
        span = await _span(served)
    assert (_said(span)["rpc.response.status_code"], _counts(span)) == ("CANCELLED", BEFORE_THE_WAIT[kind])


@pytest.mark.parametrize(
    ("metadata", "code"), [(lambda _: (), "UNAUTHENTICATED"), (lambda served: served.bearer, "OK")]
)
async def test_the_names_are_those_of_the_conventions(
    serve: Serve, metadata: Callable[[Served], Any], code: str
) -> None:
    """OpenTelemetry's RPC conventions, release candidate; codes are words, and a failure has an error.type."""
    async with serve() as served:
        try:
            await finish(start(served.stub, "unary", metadata=metadata(served)))
        except grpc.aio.AioRpcError as error:
            assert error.code().name == code
        spans = [await _span(served), await _span(served, "CLIENT")]
    for span in spans:
        said = _said(span)
        assert span.name == said["rpc.method"] == f"{NAME}/{METHODS['unary']}"
        assert (said["rpc.system.name"], said["rpc.response.status_code"]) == ("grpc", code)
    assert _said(spans[1]).get("error.type") == (None if code == "OK" else code)
