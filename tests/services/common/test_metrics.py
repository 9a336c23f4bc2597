"""Counts under the names of go-grpc-prometheus, durations under those of OpenTelemetry; labels of a few words."""

import asyncio
import contextlib
from typing import Any

import grpc
import grpc.aio
import pytest
from prometheus_client import generate_latest

from protos.chat.v1 import chat_pb2
from services.common.interceptors.metrics import go_name
from tests.kit import eventually
from tests.services.common.conftest import Serve, Served
from tests.services.common.echo import KINDS, METHODS, NAME, finish, start


def _count(served: Served, name: str, kind: str, **more: str) -> float:
    return served.metric(f"grpc_{name}", grpc_type=kind, grpc_service=NAME, grpc_method=METHODS[kind], **more)


async def _handled_once(served: Served, side: str, kind: str, code: str) -> None:
    def counted() -> bool:
        return _count(served, f"{side}_handled_total", kind, grpc_code=code) == 1

    await eventually(counted, what=f"the {side} counts {code}")


@pytest.mark.parametrize("kind", KINDS)
async def test_calls_and_messages_are_counted_on_both_sides(serve: Serve, style: str, kind: str) -> None:
    """Started, handled with its code, messages of both directions, and the time."""
    asked = 2 if kind in {"client_stream", "bidi_stream"} else 1
    answered = 2 if kind in {"server_stream", "bidi_stream"} else 1
    async with serve(style=style) as served:
        await finish(start(served.stub, kind, metadata=served.bearer, messages=2))
        for side, received, sent in (("server", asked, answered), ("client", answered, asked)):
            await _handled_once(served, side, kind, "OK")
            assert _count(served, f"{side}_started_total", kind) == 1
            assert _count(served, f"{side}_msg_received_total", kind) == received
            assert _count(served, f"{side}_msg_sent_total", kind) == sent
            assert _count(served, f"{side}_handling_seconds_count", kind) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("command", "code"), [("missing", "NotFound"), ("fail", "Internal"), ("abort", "Aborted")])
async def test_failures_are_counted_under_their_code(serve: Serve, kind: str, command: str, code: str) -> None:
    """On both sides the same."""
    async with serve() as served:
        with pytest.raises(grpc.aio.AioRpcError):
            await finish(start(served.stub, kind, command, metadata=served.bearer))
        for side in ("server", "client"):
            await _handled_once(served, side, kind, code)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_call_that_its_client_cancels_is_counted_as_cancelled(serve: Serve, kind: str) -> None:
    """On both sides, as soon as it ends."""
    async with serve() as served:
        call = start(served.stub, kind, "wait", metadata=served.bearer)
        reading = asyncio.create_task(finish(call))
        await eventually(lambda: served.echo.waiting == 1, what="the handler waits")
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        for side in ("server", "client"):
            await _handled_once(served, side, kind, "Canceled")


def test_codes_have_the_names_of_go() -> None:
    """OK is the one in capitals, and Canceled has one l (google.golang.org/grpc/codes)."""
    codes = (grpc.StatusCode.OK, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)
    assert [go_name(code) for code in codes] == ["OK", "DeadlineExceeded", "Canceled"]


@pytest.mark.parametrize(("command", "code", "error"), [("ok", "OK", ""), ("missing", "NOT_FOUND", "NOT_FOUND")])
async def test_durations_have_the_names_of_opentelemetrys_conventions_too(
    serve: Serve, command: str, code: str, error: str
) -> None:
    """On both sides, in seconds, by method and code."""
    async with serve() as served:
        call = start(served.stub, "unary", command, metadata=served.bearer)
        await asyncio.gather(finish(call), return_exceptions=True)
        labels = {
            "rpc_system_name": "grpc",
            "rpc_method": f"{NAME}/SendMessage",
            "rpc_response_status_code": code,
            "error_type": error,
        }
        for side in ("server", "client"):

            def counted(name: str = f"rpc_{side}_call_duration_seconds_count") -> bool:
                return served.metric(name, **labels) == 1

            await eventually(counted, what=f"the {side} counts the call")


@pytest.mark.parametrize("kind", ["server_stream", "client_stream", "bidi_stream"])
async def test_open_streams_are_those_that_are_open(serve: Serve, kind: str) -> None:
    """On both sides, and none is left when it is cancelled."""
    async with serve() as served:
        call = start(served.stub, kind, "wait", metadata=served.bearer)
        reading = asyncio.create_task(finish(call))
        await eventually(lambda: served.echo.waiting == 1, what="the handler waits")
        names = [f"rpc_{side}_open_streams" for side in ("server", "client")]
        method = {"rpc_method": f"{NAME}/{METHODS[kind]}"}
        assert [served.metric(name, **method) for name in names] == [1, 1]
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await eventually(lambda: [served.metric(name, **method) for name in names] == [0, 0], what="none is open")


async def test_nothing_that_a_caller_chooses_becomes_a_label(serve: Serve) -> None:
    """Methods that nobody serves are one, `_OTHER`; metadata, users, rooms and texts are in no label at all."""
    async with serve() as served, grpc.aio.insecure_channel(served.settings.grpc_listen) as bare:

        async def call(mark: str, path: str) -> None:
            metadata = (*served.bearer, (f"x-{mark}", mark), ("user-agent", mark), ("traceparent", mark))
            method: Any = bare.unary_unary(path)
            request = chat_pb2.SendMessageRequest(room=f"room-{mark}", text=mark, message_id=mark)
            with contextlib.suppress(grpc.aio.AioRpcError):
                await method(request.SerializeToString(), metadata=metadata)

        async def series() -> int:
            page = generate_latest(served.telemetry.registry).decode()
            assert "mark" not in page
            return page.count("\n")

        async def all_ways(number: int) -> None:
            for path in (f"/{NAME}/SendMessage", f"/{NAME}/mark{number}", f"/mark{number}/mark", f"/mark{number}"):
                await call(f"mark{number}", path)

        await all_ways(0)
        before = await series()
        for number in range(1, 20):
            await all_ways(number)
        assert await series() == before
        handled = {"grpc_type": "bidi_stream", "grpc_service": "_OTHER", "grpc_method": "_OTHER"}
        assert served.metric("grpc_server_handled_total", **handled, grpc_code="Unimplemented") == 60
