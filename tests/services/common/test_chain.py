"""A stream's handler is in a task of its own, which nobody notices."""

import asyncio
import gc
import warnings
from collections.abc import AsyncIterator
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

import grpc
import grpc.aio
import pytest

from services.common.interceptors.chain import Behaviour, Layer, ServerChain

DETAILS = SimpleNamespace(method="/test.v1.Test/Watch")
whose: ContextVar[str] = ContextVar("whose", default="nobody's")


async def _chained(serve: Any, *layers: Layer) -> Behaviour:
    """What gRPC gets for this handler of a stream of responses."""

    async def registered(_: Any) -> Any:
        return grpc.unary_stream_rpc_method_handler(serve)

    handler: Any = await ServerChain(layers).intercept_service(registered, DETAILS)
    behaviour: Behaviour = handler.unary_stream
    return behaviour


async def test_a_call_that_is_cancelled_before_its_handler_begins_leaves_no_warning() -> None:
    async def watch(_: Any, __: Any) -> AsyncIterator[bytes]:
        yield b""

    behaviour = await _chained(watch)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        call = asyncio.ensure_future(behaviour(b"", None))
        await asyncio.sleep(0)  # the turn in which the handler's task is made: it begins in the next
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        del call
        await asyncio.sleep(0)  # the loop lets go of it too
        gc.collect()
    assert [str(each.message) for each in said] == []


async def test_a_cancelled_call_cancels_its_handler_and_ends_after_it() -> None:
    waits, told = asyncio.Event(), []

    async def watch(_: Any, __: Any) -> None:
        try:
            waits.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            told.append("the handler")
            raise

    call = asyncio.ensure_future((await _chained(watch))(b"", None))
    await waits.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    told.append("the call")
    assert told == ["the handler", "the call"]


async def test_a_handler_sees_what_the_layers_have_set() -> None:
    seen = []

    def layer(_: Any, proceed: Behaviour) -> Behaviour:
        async def behaviour(request: Any, context: Any) -> Any:
            token = whose.set("the layer's")
            try:
                return await proceed(request, context)
            finally:
                whose.reset(token)

        return behaviour

    async def watch(_: Any, __: Any) -> None:
        seen.append(whose.get())

    await (await _chained(watch, layer))(b"", None)
    assert seen == ["the layer's"]
