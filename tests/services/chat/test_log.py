"""The record: dense sequences, one message per id, whatever runs at the same time."""

import asyncio

import pytest
from opentelemetry.trace import StatusCode

from services.chat.log import Log
from services.chat.server import MIGRATIONS
from services.common.errors import InvalidArgument
from services.common.postgres import Database, open_database
from tests.kit import Limit, eventually
from tests.services.chat.samples import draft
from tests.services.postgres import Postgres, answers
from tests.services.recorded import Recorded


async def test_each_room_counts_from_one_in_the_order_given(database: Database) -> None:
    log = Log(database)
    drafts = [draft("a"), draft("b", room="other"), draft("c"), draft("d", room="other")]
    stored = await log.append(drafts)
    assert [(one.message.room, one.message.sequence) for one in stored] == [
        ("lobby", 1),
        ("other", 1),
        ("lobby", 2),
        ("other", 2),
    ]
    assert all(one.fresh for one in stored)
    assert await log.heads(["lobby", "other", "nowhere"]) == {"lobby": 2, "other": 2}


async def test_a_repeat_gives_the_stored_message_and_no_sequence_is_lost(database: Database) -> None:
    log = Log(database)
    [first] = await log.append([draft("a")])
    again, new = await log.append([draft("a"), draft("b")])
    assert (again.message, again.fresh) == (first.message, False)
    assert (new.message.sequence, new.fresh) == (2, True)


async def test_a_repeat_is_told_as_work_and_not_as_a_failure_of_the_database(postgres: Postgres) -> None:
    recorded = Recorded()
    settings = await postgres.new_database()
    async with open_database(settings, migrations=MIGRATIONS, telemetry=recorded.telemetry) as database:
        await eventually(lambda: answers(database), within=Limit.STARTED, what="the database is migrated")
        log = Log(database)
        with recorded.tracer.start_as_current_span("call"):
            for fresh in (True, False):
                [one] = await log.append([draft("a")])
                assert one.fresh is fresh
    first, repeat = recorded.named("INSERT messages")
    assert repeat.attributes == first.attributes and repeat.status.status_code is StatusCode.UNSET
    measured = recorded.samples("db_client_operation_duration_seconds_count")
    assert {dict(labels)["error_type"] for labels in measured} == {""}


async def test_the_same_id_of_another_sender_or_in_another_room_is_another_message(database: Database) -> None:
    stored = await Log(database).append([draft("a"), draft("a", sender_id="bob"), draft("a", room="other")])
    assert all(one.fresh for one in stored)


async def test_writers_that_race_for_ids_and_rooms_leave_no_gap_and_no_double(database: Database) -> None:
    log = Log(database)

    async def write(sender: str) -> None:
        for number in range(25):
            # One id that all writers use, one of the writer's own; rooms in different orders.
            rooms = ["lobby", "other"] if sender < "c" else ["other", "lobby"]
            await log.append([draft(f"shared-{number}", room=room) for room in rooms])
            await log.append([draft(f"own-{number}", room=room, sender_id=sender) for room in rooms])

    await asyncio.gather(*(write(sender) for sender in "abcdef"))
    for room in ("lobby", "other"):
        messages = await log.after(room, 0, 1000)
        assert [one.sequence for one in messages] == list(range(1, 25 * 7 + 1))
        assert len({(one.sender_id, one.message_id) for one in messages}) == len(messages)
        times = [one.create_time for one in messages]
        assert times == sorted(times)


@pytest.mark.parametrize("repeat", [False, True])
@pytest.mark.parametrize("planned", ["at once", "for any batch", "with statistics"])
@pytest.mark.parametrize("rooms", [1, 2])
async def test_the_times_of_a_room_rise_with_its_sequence_whatever_the_plan(
    database: Database, rooms: int, planned: str, repeat: bool
) -> None:
    """A join may give its rows in any order, and after five times a statement is planned for any arguments."""
    log, known = Log(database), draft("known", room="0")
    for _ in range(0 if planned == "at once" else 8):
        await log.append([known])
    if planned == "with statistics":
        await log.append([draft(f"{number}", room=f"other-{number}") for number in range(512)])
        async with database.connection() as connection:
            await connection.execute("analyze")
    given = [draft(f"{number}", room=f"{number % rooms}") for number in range(512)]
    await log.append([known, *given] if repeat else given)
    for room in map(str, range(rooms)):
        messages = await log.after(room, 0, 1000)
        ids = [one.message_id for one in messages if one.message_id != known.message_id]
        assert ids == [one.message_id for one in given if one.room == room]
        assert [one.sequence for one in messages] == list(range(1, len(messages) + 1))
        times = [one.create_time for one in messages]
        assert times == sorted(times)


async def test_a_text_that_cannot_be_stored_stores_nothing(database: Database) -> None:
    log = Log(database)
    with pytest.raises(InvalidArgument):
        await log.append([draft("a"), draft("b", text="nul \0")])
    assert await log.head("lobby") == 0


async def test_a_room_is_made_once_and_lobby_is_there(database: Database) -> None:
    log = Log(database)
    assert await log.head("lobby") == 0
    assert await log.head("new") is None
    assert await log.open_room("new") == 0
    await log.append([draft("a", room="new")])
    assert await log.open_room("new") == 1


async def test_history_is_read_in_both_directions(database: Database) -> None:
    log = Log(database)
    await log.append([draft(f"{number}") for number in range(5)])
    assert [one.sequence for one in await log.after("lobby", 2, 2)] == [3, 4]
    assert [one.sequence for one in await log.before("lobby", 4, 2)] == [3, 2]
