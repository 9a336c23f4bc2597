"""One reader for all who look, and none when nobody does."""

import asyncio
from itertools import count

from localmesh.dashboard.feed import Feed
from tests.kit import Limit, eventually


class Source:
    """Counts how often it is read."""

    def __init__(self) -> None:
        self.reads = 0

    async def read(self) -> int:
        self.reads += 1
        return self.reads


async def test_nothing_is_read_before_somebody_looks_and_after_the_last_has_gone() -> None:
    source = Source()
    feed = Feed(source.read, every_seconds=0.001)
    readings = feed.readings()
    assert source.reads == 0
    assert await anext(readings) == 1
    await readings.aclose()
    assert not feed.reads
    assert feed.viewers == 0
    seen = source.reads
    for _ in range(20):
        await asyncio.sleep(0)
    assert source.reads == seen


async def test_two_who_look_share_one_reader() -> None:
    """Five readings are enough for five looks of both; there are no more of them."""
    turns = asyncio.Semaphore(0)
    source = Source()

    async def read() -> int:
        await turns.acquire()
        return await source.read()

    feed = Feed(read, every_seconds=0)
    one, other = feed.readings(), feed.readings()
    async with asyncio.timeout(Limit.SOON.value):
        for _ in range(5):
            looks = asyncio.gather(anext(one), anext(other))
            turns.release()
            assert set(await looks) == {source.reads}
    assert (feed.viewers, source.reads) == (2, 5)
    await one.aclose()
    assert feed.reads
    await other.aclose()
    assert not feed.reads


async def test_who_is_slow_misses_readings_and_gets_the_newest() -> None:
    source = Source()
    feed = Feed(source.read, every_seconds=0.001)
    readings = feed.readings()
    assert await anext(readings) == 1
    await eventually(lambda: source.reads >= 5, what="five readings meanwhile")
    assert await anext(readings) >= 5
    await readings.aclose()


async def test_who_comes_later_has_the_last_reading_at_once() -> None:
    numbers = count(1)

    async def read() -> int:
        return next(numbers)

    feed = Feed(read, every_seconds=3600)
    first = feed.readings()
    assert await anext(first) == 1
    second = feed.readings()
    assert await anext(second) == 1
    await first.aclose()
    await second.aclose()


async def test_a_reader_that_fails_is_told_to_who_looks() -> None:
    async def read() -> int:
        raise ZeroDivisionError

    readings = Feed(read).readings()
    try:
        await anext(readings)
    except ZeroDivisionError:
        return
    raise AssertionError("nobody was told")
