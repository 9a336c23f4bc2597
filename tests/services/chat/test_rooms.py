"""Rooms pass on every message once and in order, whatever the broker does to events."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.chat.events import Event
from services.chat.log import Log
from services.chat.messages import Message
from services.chat.readers import Reader
from services.chat.rooms import Rooms
from services.common.postgres import Database
from tests.kit import Limit, eventually
from tests.services.chat.nats import Nats
from tests.services.chat.samples import draft

AWAY = "nats://127.0.0.1:1"


@asynccontextmanager
async def running(log: Log, url: str = AWAY, token: str = "") -> AsyncIterator[Rooms]:
    """Rooms of one replica."""
    rooms = Rooms(log, reader_queue=1024, nats_url=url, nats_token=token)
    task = asyncio.create_task(rooms.run())
    try:
        yield rooms
    finally:
        task.cancel()
        await asyncio.wait([task])


async def stored(log: Log, *ids: int) -> list[Event]:
    """Messages committed by somebody."""
    return [Event(one.message) for one in await log.append([draft(f"{number}") for number in ids])]


async def taken(reader: Reader, until: int) -> list[int]:
    """The sequences that the reader gets, up to `until`."""
    sequences: list[int] = []
    async with asyncio.timeout(Limit.SOON.value):
        while not sequences or sequences[-1] < until:
            sequences += [event.sequence for event in await reader.take()]
    return sequences


async def test_a_replicas_own_commits_reach_its_readers_without_a_broker(database: Database) -> None:
    log = Log(database)
    async with running(log) as rooms:
        with rooms.reader("lobby", head=0, after=None) as one, rooms.reader("lobby", head=0, after=0) as two:
            rooms.publish(await stored(log, 1, 2))
            assert await taken(one, 2) == [1, 2]
            assert await taken(two, 2) == [1, 2]


async def test_what_comes_at_one_time_is_passed_on_together(database: Database) -> None:
    log = Log(database)
    async with running(log) as rooms:
        with rooms.reader("lobby", head=0, after=None) as reader:
            await eventually(lambda: rooms.complete("lobby"), what="the room is followed")
            taking = asyncio.create_task(reader.take())
            await asyncio.sleep(0)  # it waits, live
            for event in await stored(log, 1, 2, 3):
                rooms.publish([event])
            assert [event.sequence for event in await taking] == [1, 2, 3]


async def test_events_that_come_twice_or_crossed_are_passed_on_once_and_in_order(database: Database) -> None:
    log = Log(database)
    events = await stored(log, *range(50))
    async with running(log) as rooms:
        with rooms.reader("lobby", head=0, after=None) as reader:
            shuffled = events * 2
            random.Random(1).shuffle(shuffled)
            for event in shuffled:
                rooms.publish([event])
            assert await taken(reader, 50) == list(range(1, 51))


async def test_a_gap_is_filled_from_the_record(database: Database) -> None:
    log = Log(database)
    async with running(log) as rooms:
        with rooms.reader("lobby", head=0, after=None) as reader:
            events = await stored(log, *range(600))
            rooms.publish([events[0], events[-1]])
            assert await taken(reader, 600) == list(range(1, 601))


async def test_a_lost_last_event_is_found_without_a_later_one(database: Database) -> None:
    log = Log(database)
    async with running(log) as rooms:
        with rooms.reader("lobby", head=0, after=None) as reader:
            await stored(log, 1, 2, 3)  # nobody tells the room
            assert await taken(reader, 3) == [1, 2, 3]


async def test_what_is_committed_between_the_readers_start_and_following_is_found_at_once(
    database: Database, nats: Nats
) -> None:
    log = Log(database)
    async with running(log, nats.url, nats.token) as rooms:
        head = await log.head("lobby")
        assert head == 0
        await stored(log, 1)  # after the head was read, before the room is followed
        with rooms.reader("lobby", head=head, after=None) as reader:
            assert await taken(reader, 1) == [1]


async def test_an_event_that_the_record_does_not_know_is_never_passed_on(database: Database) -> None:
    log = Log(database)
    [event] = await stored(log, 1)
    async with running(log) as rooms:
        with rooms.reader("lobby", head=0, after=0) as reader:
            invented = Event(Message("lobby", 3, "nobody", "id", "Nobody", "invented", event.message.create_time))
            rooms.publish([invented])
            assert await taken(reader, 1) == [1]
            # The room asks the record, finds nothing, and forgets the event.
            await eventually(lambda: rooms.complete("lobby"), what="the invented event is forgotten")
            await stored(log, 2, 3)
            events: list[Event] = []
            async with asyncio.timeout(Limit.SOON.value):
                while len(events) < 2:
                    events += await reader.take()
            assert [event.message.text for event in events] == ["hello", "hello"]


async def test_two_replicas_pass_on_the_same_order_through_the_broker(database: Database, nats: Nats) -> None:
    log = Log(database)
    async with running(log, nats.url, nats.token) as one, running(log, nats.url, nats.token) as two:
        with one.reader("lobby", head=0, after=0) as here, two.reader("lobby", head=0, after=0) as there:
            for number in range(100):
                (one if number % 2 else two).publish(await stored(log, number))
            assert await taken(here, 100) == await taken(there, 100) == list(range(1, 101))


async def test_a_room_without_readers_is_forgotten(database: Database) -> None:
    async with running(Log(database)) as rooms:
        with rooms.reader("lobby", head=0, after=None), rooms.reader("lobby", head=0, after=None):
            assert rooms.open_rooms == {"lobby"}
        assert rooms.open_rooms == set()
