"""bench.worker: bursts in this process, and in one of its own."""

import asyncio

import pytest

from bench.worker import timed, worker


async def test_each_number_is_asked_once_by_no_more_at_once_than_were_wanted() -> None:
    asked: list[int] = []
    running = most = 0

    async def each(number: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        asked.append(number)
        await asyncio.sleep(0)
        running -= 1

    sample = await timed(each, calls=50, in_flight=4)
    assert sorted(asked) == list(range(50))
    assert (sample.calls, most) == (50, 4)


async def test_a_call_that_fails_fails_the_burst() -> None:
    async def each(number: int) -> None:
        if number == 7:
            raise RuntimeError("a wrong answer")

    with pytest.raises(ExceptionGroup, match="unhandled"):
        await timed(each, calls=50, in_flight=4)


def test_a_worker_that_has_ended_is_an_error_and_no_figure() -> None:
    with worker("bench.get_worker", "stock", "postgresql://nobody@/none?host=/nowhere") as burst:  # noqa: SIM117
        with pytest.raises((RuntimeError, BrokenPipeError)):
            burst(calls=1, in_flight=1, among=1)
