"""A reader gets each event once, in order, and no more than its share waits for it."""

import asyncio

import pytest

from services.chat.events import Event
from services.chat.readers import Reader
from services.common.errors import ResourceExhausted
from tests.services.chat.samples import events


class Record:
    """A room's record and head, as a reader sees them."""

    def __init__(self, head: int) -> None:
        self.head = head
        self.recorded = head
        self.reads = 0

    async def after(self, position: int) -> list[Event]:
        """At most three at a time."""
        self.reads += 1
        return events(*range(position + 1, min(position + 3, self.recorded) + 1))

    def reader(self, position: int, limit: int = 4) -> Reader:
        """A reader of this room."""
        return Reader(position, limit=limit, head=lambda: self.head, history=self.after)


def sequences(taken: list[Event]) -> list[int]:
    """Their sequences."""
    return [event.sequence for event in taken]


async def test_history_comes_first_and_then_what_is_live() -> None:
    record = Record(head=5)
    reader = record.reader(0)
    assert sequences(await reader.take()) == [1, 2, 3]
    assert sequences(await reader.take()) == [4, 5]
    live = asyncio.ensure_future(reader.take())
    await asyncio.sleep(0)
    record.head = record.recorded = 7
    reader.offer(events(6, 7))
    assert sequences(await live) == [6, 7]
    assert reader.position == 7


async def test_who_begins_at_the_head_does_not_read_the_record() -> None:
    record = Record(head=5)
    reader = record.reader(5)
    taking = asyncio.ensure_future(reader.take())
    await asyncio.sleep(0)
    reader.offer(events(6))
    assert sequences(await taking) == [6]
    assert record.reads == 0


async def test_events_that_the_record_gave_already_are_not_given_again() -> None:
    record = Record(head=2)
    record.recorded = 4  # the record is ahead of what the room has passed on
    reader = record.reader(0)
    assert sequences(await reader.take()) == [1, 2, 3]
    taking = asyncio.ensure_future(reader.take())
    await asyncio.sleep(0)
    reader.offer(events(3, 4))
    assert sequences(await taking) == [4]


async def test_a_reader_from_beyond_the_head_waits_for_what_follows() -> None:
    reader = Record(head=2).reader(5)
    taking = asyncio.ensure_future(reader.take())
    await asyncio.sleep(0)
    reader.offer(events(3, 4, 5, 6))
    assert sequences(await taking) == [6]


async def test_a_reader_that_takes_nothing_is_cut_and_told_where_it_was() -> None:
    reader = Record(head=5).reader(5)
    reader.wake()
    await reader.take()
    reader.offer(events(6, 7, 8, 9))
    reader.offer(events(10))
    with pytest.raises(ResourceExhausted) as caught:
        await reader.take()
    assert caught.value.reason == "SLOW_READER"
    assert caught.value.values["resume_after"] == "5"


async def test_a_reader_that_had_taken_everything_is_not_slow_when_much_comes_at_once() -> None:
    record = Record(head=5)
    reader = record.reader(5)
    reader.wake()
    await reader.take()
    record.head = record.recorded = 15
    reader.offer(events(*range(6, 16)))
    taken: list[int] = []
    while len(taken) < 10:
        taken += sequences(await reader.take())
    assert taken == list(range(6, 16))


async def test_a_woken_reader_returns_with_nothing() -> None:
    reader = Record(head=5).reader(5)
    taking = asyncio.ensure_future(reader.take())
    await asyncio.sleep(0)
    reader.wake()
    assert await taking == []
