"""Telling others of changes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from localmesh.runtime.publisher import Publisher


@asynccontextmanager
async def running(publisher: Publisher) -> AsyncIterator[None]:
    task = asyncio.create_task(publisher.run())
    yield
    task.cancel()
    await asyncio.wait([task])


async def test_changes_that_come_together_are_told_once() -> None:
    told: list[int] = []

    async def tell() -> None:
        told.append(1)

    publisher = Publisher(tell)
    async with running(publisher):
        for _ in range(10):
            publisher.changed()
        assert await publisher.known(within=10)
    assert told == [1]


async def test_a_change_during_a_telling_is_told_again_before_it_is_known() -> None:
    told: list[int] = []
    going, go = asyncio.Event(), asyncio.Event()

    async def tell() -> None:
        going.set()
        await go.wait()
        told.append(1)

    publisher = Publisher(tell)
    async with running(publisher):
        publisher.changed()
        await going.wait()
        publisher.changed()
        assert not await publisher.known(within=0.01)
        go.set()
        assert await publisher.known(within=10)
    assert told == [1, 1]


async def test_a_telling_that_fails_holds_nobody_up_and_the_next_is_made() -> None:
    told: list[int] = []

    async def tell() -> None:
        told.append(1)
        if len(told) == 1:
            raise RuntimeError("no")

    publisher = Publisher(tell)
    async with running(publisher):
        for _ in range(2):
            publisher.changed()
            assert await publisher.known(within=10)
    assert told == [1, 1]
