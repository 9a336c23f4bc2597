"""The lives of streams."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from services.common import identity
from services.common.drain import DRAINING, MAX_AGE, TOKEN_EXPIRED, Drain
from services.common.errors import Unauthenticated, Unavailable
from services.common.identity import Identity


async def test_all_lives_end_when_the_process_stops() -> None:
    """Those that are open, and those that begin later."""
    drain = Drain()
    with drain.life() as first, drain.life() as second:
        assert not first.over
        drain.begin()
        assert (first.reason, await second.wait()) == (DRAINING, DRAINING)
    with drain.life() as late:
        assert late.over


async def test_a_life_ends_at_its_age_which_is_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give or take a tenth."""
    drain = Drain(max_age_seconds=0.02)
    with drain.life() as life:
        assert await life.wait() == MAX_AGE
    loop, ages = asyncio.get_running_loop(), list[float]()
    timer = loop.call_later(1000, int)

    def call_later(delay: float, *_: object) -> asyncio.TimerHandle:
        ages.append(delay)
        return timer

    monkeypatch.setattr(loop, "call_later", call_later)
    for _ in range(50):
        with Drain(max_age_seconds=1000).life():
            pass
    assert 900 <= min(ages) < max(ages) <= 1100 and max(ages) - min(ages) > 10


async def test_interrupting_cuts_a_wait_short() -> None:
    """Whatever is awaited inside; an error from inside stays that error."""
    drain = Drain()
    with drain.life() as life:
        asyncio.get_running_loop().call_later(0.01, drain.begin)
        async with life.interrupting():
            await asyncio.Event().wait()
        assert life.over
        async with life.interrupting():
            await asyncio.Event().wait()
    with Drain().life() as life, pytest.raises(TimeoutError):
        async with life.interrupting():
            raise TimeoutError
    with Drain().life() as life:
        async with life.interrupting():
            pass
        assert not life.over


async def test_items_come_until_the_life_is_over() -> None:
    """Also if none comes any more; and not the one that came too late."""

    async def numbers(last: int) -> AsyncIterator[int]:
        for number in range(last):
            yield number
        if last == 2:
            await asyncio.Event().wait()

    drain = Drain()
    with drain.life() as life:
        assert [number async for number in life.until_over(numbers(3))] == [0, 1, 2]
        assert not life.over
        asyncio.get_running_loop().call_later(0.01, drain.begin)
        assert [number async for number in life.until_over(numbers(2))] == [0, 1]
        assert [number async for number in life.until_over(numbers(3))] == []


async def test_the_end_says_where_to_go_on() -> None:
    """Reason and resume_after."""
    drain = Drain()
    drain.begin()
    with drain.life() as life:
        error = life.ended(resume_after=41)
    assert (error.reason, error.values) == (DRAINING, {"resume_after": "41"})


async def test_a_life_ends_with_the_token_of_its_caller() -> None:
    """At once where it has expired already; never later than at its age."""
    for left, reason in ((0.02, TOKEN_EXPIRED), (-1.0, TOKEN_EXPIRED), (3600.0, MAX_AGE)):
        identity.set_current(Identity("ada", "token", time.time() + left))
        with Drain(max_age_seconds=0.1).life() as life:
            assert await life.wait() == reason
        error = life.ended(resume_after=41)
        assert isinstance(error, Unauthenticated if reason == TOKEN_EXPIRED else Unavailable)
        assert (error.reason, error.values) == (reason, {"resume_after": "41"})
