"""bench.load against a real gRPC server."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from bench.load import Call, Load, WrongAnswer

METADATA = {"x-long": "a" * 300, "x-short": "b"}


@dataclass
class Echo:
    """Answers with the request, and notes what came."""

    target: str
    seen: list[dict[str, str]]
    most_at_once: int = 0


@pytest.fixture
async def echo(tmp_path: Path) -> AsyncIterator[Echo]:
    """A server on a Unix socket; its method Fail fails."""
    served = Echo(f"unix:{tmp_path}/grpc", [])
    running = 0

    async def answer(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        nonlocal running
        running += 1
        served.most_at_once = max(served.most_at_once, running)
        served.seen.append({str(key): str(value) for key, value in context.invocation_metadata() or ()})
        await asyncio.sleep(0)
        running -= 1
        return request

    async def fail(_: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        await context.abort(grpc.StatusCode.NOT_FOUND, "no")

    handlers: dict[str, Any] = {
        "Echo": grpc.unary_unary_rpc_method_handler(answer),
        "Fail": grpc.unary_unary_rpc_method_handler(fail),
    }
    server = grpc.aio.server()
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("t.T", handlers)])
    server.add_insecure_port(served.target)
    await server.start()
    yield served
    await server.stop(0)


async def burst(echo: Echo, call: Call, calls: int, in_flight: int) -> int:
    """One burst from another thread: it blocks."""

    def made() -> int:
        load = Load(echo.target, call, pids=[])
        try:
            return load.burst(calls, in_flight).calls
        finally:
            load.close()

    return await asyncio.to_thread(made)


async def test_each_call_arrives_once_with_its_metadata(echo: Echo) -> None:
    request = b"x" * 40
    assert await burst(echo, Call("/t.T/Echo", request, request, METADATA), 200, 8) == 200
    assert len(echo.seen) == 200
    assert all(seen.items() >= METADATA.items() for seen in echo.seen)
    assert echo.most_at_once <= 8


async def test_calls_larger_than_the_first_window_of_the_connection_arrive_too(echo: Echo) -> None:
    request = b"y" * 16_000
    assert await burst(echo, Call("/t.T/Echo", request, request), 100, 8) == 100


async def test_an_answer_of_other_bytes_is_an_error(echo: Echo) -> None:
    with pytest.raises(WrongAnswer, match="another answer"):
        await burst(echo, Call("/t.T/Echo", b"x", b"y"), 10, 2)


async def test_a_failed_call_is_an_error(echo: Echo) -> None:
    with pytest.raises(WrongAnswer, match="the call has failed"):
        await burst(echo, Call("/t.T/Fail", b"x", b"x"), 10, 2)
