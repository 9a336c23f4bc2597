"""Counts under the names of go-grpc-prometheus."""

import asyncio

import grpc
import grpc.aio
import pytest

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
