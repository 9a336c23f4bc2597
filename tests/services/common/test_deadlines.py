"""No unary call without an end, and what is left of the time goes on."""

import time

import grpc
import grpc.aio
import pytest

from services.common import deadline, status
from tests.kit import eventually
from tests.services.common.conftest import Serve
from tests.services.common.echo import KINDS, finish, start


async def test_a_unary_call_without_a_deadline_gets_the_default(serve: Serve) -> None:
    """From the server, whatever the client forgot."""
    async with (
        serve(default_deadline_seconds=0.05) as served,
        grpc.aio.insecure_channel(served.settings.grpc_listen) as bare,
    ):
        stub = type(served.stub)(bare)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await finish(start(stub, "unary", "wait", metadata=served.bearer))
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert status.from_call(caught.value).reason == "SERVER_DEADLINE"
        assert served.echo.waiting == 0


async def test_a_unary_call_has_at_most_the_maximum(serve: Serve) -> None:
    """However long its caller would wait."""
    async with serve(max_deadline_seconds=0.05) as served:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await finish(start(served.stub, "unary", "wait", metadata=served.bearer, timeout=60))
        assert status.from_call(caught.value).values == {"seconds": "0.05"}


@pytest.mark.parametrize("kind", KINDS)
async def test_work_stops_at_the_callers_deadline(serve: Serve, style: str, kind: str) -> None:
    """For each kind of call: the handler is cancelled, not left behind."""
    async with serve(style=style) as served:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await finish(start(served.stub, kind, "wait", metadata=served.bearer, timeout=0.1))
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await eventually(lambda: served.echo.waiting == 0, what="the handler has stopped")


@pytest.mark.parametrize("kind", KINDS[1:])
async def test_a_stream_without_a_deadline_has_none(serve: Serve, kind: str) -> None:
    """The default is for unary calls."""
    async with serve(default_deadline_seconds=0.05) as served:
        await finish(start(served.stub, kind, metadata=served.bearer))
        assert served.echo.seen_seconds is None


@pytest.mark.parametrize("kind", KINDS)
async def test_the_callers_deadline_goes_on_to_the_next_call(serve: Serve, kind: str) -> None:
    """An outgoing call gets the smaller of its own and what is left of the current one."""
    async with serve(max_deadline_seconds=3000) as served:
        token = deadline._deadline.set(time.monotonic() + 100)
        try:
            for own, seen in ((None, (40, 101)), (30, (20, 31)), (1000, (40, 101))):
                await finish(start(served.stub, kind, metadata=served.bearer, timeout=own))
                assert served.echo.seen_seconds is not None
                assert seen[0] < served.echo.seen_seconds <= seen[1]
        finally:
            deadline._deadline.reset(token)


async def test_a_client_without_a_deadline_sends_the_default(serve: Serve) -> None:
    """A unary call of ours is never without one."""
    async with serve(default_deadline_seconds=40) as served:
        await finish(start(served.stub, "unary", metadata=served.bearer))
        assert served.echo.seen_seconds is not None and served.echo.seen_seconds <= 11
