"""GetUser: who answers, one call or many. Every response says so in its metadata (x-version, x-pod)."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc

from clients import failure
from clients.channel import UNARY_SECONDS, Gateway
from protos.user.v1.user_pb2 import GetUserRequest


@dataclass(frozen=True, slots=True)
class Answer:
    """Who answered a call. `at` is on the clock of time.monotonic()."""

    version: str
    pod: str
    at: float


async def answered(gateway: Gateway, user_id: str) -> Answer:
    """One call."""
    call = gateway.users.GetUser(GetUserRequest(id=user_id), metadata=gateway.metadata(), timeout=UNARY_SECONDS)
    await call
    said = dict(await call.trailing_metadata())
    return Answer(str(said.get("x-version", "?")), str(said.get("x-pod", "?")), time.monotonic())


async def many(gateway: Gateway, user_id: str, count: int, at_once: int = 8) -> list[Answer]:
    """`count` calls, `at_once` at a time."""
    slots = asyncio.Semaphore(at_once)

    async def one() -> Answer:
        async with slots:
            return await answered(gateway, user_id)

    return await asyncio.gather(*(one() for _ in range(count)))


@dataclass(slots=True)
class Load:
    """Steady traffic, and what came of it so far."""

    answers: list[Answer] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    async def until(self, enough: Callable[[], bool], *, within_seconds: float) -> bool:
        """Waits until what came is enough; False if it is not in time."""
        end = time.monotonic() + within_seconds
        while not enough():
            if time.monotonic() > end:
                return False
            await asyncio.sleep(0.02)
        return True


@asynccontextmanager
async def steady_load(
    gateway: Gateway, user_id: str, *, callers: int, pause_seconds: float, most: int
) -> AsyncIterator[Load]:
    """Each caller calls, waits a moment and calls again; at most `most` calls in all. None is cut when it ends."""
    load = Load()
    stop = asyncio.Event()

    async def call() -> None:
        while not stop.is_set() and len(load.answers) + len(load.failures) < most:
            try:
                load.answers.append(await answered(gateway, user_id))
            except grpc.aio.AioRpcError as error:
                load.failures.append(failure.described(error))
            await asyncio.sleep(pause_seconds)

    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(call())
        try:
            yield load
        finally:
            stop.set()
