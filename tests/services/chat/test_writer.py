"""Group commit: posts that come together are one transaction, and each sender gets an answer of its own."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from services.chat.events import Event
from services.chat.log import Appended, Log
from services.chat.messages import Draft, Message
from services.chat.writer import BATCH, WAITING, Writer
from services.common.errors import InvalidArgument, ResourceExhausted, Unavailable
from services.common.postgres import Database
from tests.services.chat.samples import draft


class Gate:
    """Appends to a log, counts the commits, and holds them while it is shut."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.batches: list[int] = []
        self.begun = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    async def append(self, drafts: Sequence[Draft]) -> list[Appended]:
        """As the log does."""
        self.batches.append(len(drafts))
        self.begun.set()
        await self.open.wait()
        return await self._log.append(drafts)


@asynccontextmanager
async def writing(append: Gate, told: list[Event] | None = None) -> AsyncIterator[Writer]:
    """A writer that runs."""
    writer = Writer(append.append, committed=(told if told is not None else []).extend)
    task = asyncio.create_task(writer.run())
    try:
        yield writer
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_posts_that_wait_together_are_committed_together(database: Database) -> None:
    gate = Gate(Log(database))
    told: list[Event] = []
    async with writing(gate, told) as writer:
        stored = await asyncio.gather(*(writer.post(draft(f"{number}")) for number in range(300)))
    assert [one.sequence for one in stored] == list(range(1, 301))
    assert [event.message for event in told] == stored
    assert len(gate.batches) <= 2


async def test_repeats_within_one_batch_are_one_message(database: Database) -> None:
    told: list[Event] = []
    async with writing(Gate(Log(database)), told) as writer:
        stored = await asyncio.gather(*(writer.post(draft("same")) for _ in range(5)))
        assert {one.sequence for one in stored} == {1}
        assert len(told) == 1
        results = await asyncio.gather(
            writer.post(draft("x", text="one")), writer.post(draft("x", text="two")), return_exceptions=True
        )
    assert isinstance(results[0], Message)
    assert isinstance(results[1], InvalidArgument)
    assert results[1].reason == "MESSAGE_ID_REUSED"


async def test_one_message_that_cannot_be_stored_does_not_fail_the_others(database: Database) -> None:
    async with writing(Gate(Log(database))) as writer:
        results = await asyncio.gather(
            *(writer.post(draft(f"{number}", text="\0" if number == 3 else "fine")) for number in range(8)),
            return_exceptions=True,
        )
    assert [index for index, one in enumerate(results) if isinstance(one, InvalidArgument)] == [3]
    assert sorted(one.sequence for one in results if isinstance(one, Message)) == list(range(1, 8))


async def test_a_sender_that_has_given_up_before_the_commit_stores_nothing(database: Database) -> None:
    log = Log(database)
    gate = Gate(log)
    gate.open.clear()
    async with writing(gate) as writer:
        first = asyncio.create_task(writer.post(draft("first")))
        await gate.begun.wait()
        late = asyncio.create_task(writer.post(draft("late")))
        await asyncio.sleep(0)
        late.cancel()
        gate.open.set()
        await first
        await writer.post(draft("next"))
    assert [one.message_id for one in await log.after("lobby", 0, 10)] == ["first", "next"]


async def test_too_many_waiting_posts_are_refused_at_once(database: Database) -> None:
    gate = Gate(Log(database))
    gate.open.clear()
    async with writing(gate) as writer:
        posts = [asyncio.create_task(writer.post(draft(f"{number}"))) for number in range(WAITING + BATCH + 10)]
        done, waiting = await asyncio.wait(posts, return_when=asyncio.FIRST_COMPLETED)
        for refused in done:
            error = refused.exception()
            assert isinstance(error, ResourceExhausted)
            assert error.reason == "TOO_MANY_SENDS"
        gate.open.set()
        await asyncio.wait(waiting)
        assert all(post.exception() is None for post in waiting)


async def test_who_waits_when_the_writer_stops_is_told(database: Database) -> None:
    gate = Gate(Log(database))
    gate.open.clear()
    async with writing(gate) as writer:
        posts = [asyncio.create_task(writer.post(draft(f"{number}"))) for number in range(3)]
        await gate.begun.wait()
        posts.append(asyncio.create_task(writer.post(draft("queued"))))
        await asyncio.sleep(0)
    for post in posts:
        with pytest.raises(Unavailable):
            await post


async def test_a_commit_that_finds_the_database_away_is_tried_again() -> None:
    tries: list[int] = []

    async def append(drafts: Sequence[Draft]) -> list[Appended]:
        tries.append(len(drafts))
        raise Unavailable("STORE_UNAVAILABLE", "away")

    writer = Writer(append, committed=lambda _: None)
    task = asyncio.create_task(writer.run())
    with pytest.raises(Unavailable):
        await writer.post(draft("a"))
    assert tries == [1, 1, 1]
    task.cancel()
    await asyncio.wait([task])
