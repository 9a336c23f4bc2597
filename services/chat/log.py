"""The record of all rooms in PostgreSQL, and the only SQL for messages."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import asyncpg

from services.chat.messages import Draft, Message
from services.common.errors import InvalidArgument, stores_away
from services.common.postgres import Database

# Each is one statement, so the transaction is one round trip and a room's row is locked for as short as can be.
#
# The upsert of rooms gives out the sequences. It takes the rooms' locks in the order of their names, so that two
# replicas whose batches share rooms cannot wait for each other, and holds them until the commit, so that a reader who
# sees a sequence also sees all before it.
#
# A message's time is read after that, in the order of the drafts: a volatile function is called once the rows are
# sorted (PostgreSQL 9.6, release notes), so in a room the times rise with the sequences.

# For drafts that are all new. A repeat violates the unique key of messages, and then nothing is stored: only the other
# statement looks for repeats, which costs the database 1.5 times the CPU for one draft, and 4 times for 16.
_APPEND_NEW = """
WITH head AS (
    INSERT INTO rooms AS r (name, last_sequence)
    SELECT * FROM unnest($1::text[], $2::bigint[])
    ON CONFLICT (name) DO UPDATE SET last_sequence = r.last_sequence + excluded.last_sequence
    RETURNING name, last_sequence
)
INSERT INTO messages (room, sequence, sender_id, message_id, sender_name, text, create_time)
SELECT room, last_sequence - later, sender_id, message_id, sender_name, text, clock_timestamp()
FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[])
    AS d (room, sender_id, message_id, sender_name, text, later) JOIN head ON head.name = d.room
ORDER BY later DESC
RETURNING *, true AS fresh
"""

# `stored` is read from the statement's snapshot, which can be older than the lock: a replica that stored the same
# message in between shows as a violation of the unique key. Then nothing is stored and the next try finds it.
_APPEND = """
WITH draft AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
        WITH ORDINALITY AS d (room, sender_id, message_id, sender_name, text, place)
), stored AS (
    SELECT m.* FROM messages m JOIN draft USING (room, sender_id, message_id)
), fresh AS (
    SELECT d.*,
        row_number() OVER (PARTITION BY room ORDER BY place) AS step,
        count(*) OVER (PARTITION BY room) AS steps
    FROM draft d
    WHERE (d.room, d.sender_id, d.message_id) NOT IN (SELECT room, sender_id, message_id FROM stored)
), head AS (
    INSERT INTO rooms AS r (name, last_sequence)
    SELECT room, count(*) FROM fresh GROUP BY room ORDER BY room COLLATE "C"
    ON CONFLICT (name) DO UPDATE SET last_sequence = r.last_sequence + excluded.last_sequence
    RETURNING name, last_sequence
), added AS (
    INSERT INTO messages (room, sequence, sender_id, message_id, sender_name, text, create_time)
    SELECT room, last_sequence - steps + step, sender_id, message_id, sender_name, text, clock_timestamp()
    FROM fresh JOIN head ON head.name = fresh.room ORDER BY step
    RETURNING *
)
SELECT *, false AS fresh FROM stored UNION ALL SELECT *, true FROM added ORDER BY sequence
"""

# How often other replicas may win the race for a message_id before we call it a fault.
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Appended:
    """What the record holds for one draft; `fresh` if it was stored just now."""

    message: Message
    fresh: bool


class Log:
    """Reads and appends. Every method raises Unavailable if PostgreSQL is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, drafts: Sequence[Draft]) -> list[Appended]:
        """Commits the drafts in one transaction and returns what is stored for each, in the order of the drafts.

        The drafts' keys (room, sender_id, message_id) must differ; drafts of one room get their sequences in the order
        given. A draft whose key is stored already gets that message, whatever its text. Raises InvalidArgument, and
        stores nothing, if PostgreSQL cannot hold one of the texts.
        """
        try:
            async with self._database.connection("INSERT messages") as connection:
                rows = await _inserted(connection, drafts)
        except asyncpg.TransactionRollbackError as error:
            raise stores_away("database") from error
        except asyncpg.DataError as error:
            raise InvalidArgument("TEXT_NOT_STORABLE", "the text holds a character that cannot be stored") from error
        found = {(row["room"], row["sender_id"], row["message_id"]): row for row in rows}
        stored = [found[draft.room, draft.sender_id, draft.message_id] for draft in drafts]
        return [Appended(_message(row), row["fresh"]) for row in stored]

    async def open_room(self, room: str) -> int:
        """Makes the room if it is new; returns its last sequence."""
        head = await self.head(room)
        if head is None:
            async with self._database.connection("INSERT rooms") as connection:
                await connection.execute("INSERT INTO rooms (name) VALUES ($1) ON CONFLICT DO NOTHING", room)
        return head or 0

    async def head(self, room: str) -> int | None:
        """The room's last sequence; None if there is no such room."""
        return (await self.heads([room])).get(room)

    async def heads(self, rooms: Collection[str]) -> dict[str, int]:
        """The last sequence of each of these rooms that exists."""
        async with self._database.connection("SELECT rooms") as connection:
            rows = await connection.fetch(
                "SELECT name, last_sequence FROM rooms WHERE name = ANY($1::text[])", list(rooms)
            )
        return {row["name"]: row["last_sequence"] for row in rows}

    async def after(self, room: str, sequence: int, limit: int) -> list[Message]:
        """Up to `limit` messages that follow `sequence`, in order."""
        async with self._database.connection("SELECT messages") as connection:
            rows = await connection.fetch(
                "SELECT * FROM messages WHERE room = $1 AND sequence > $2 ORDER BY sequence LIMIT $3",
                room,
                sequence,
                limit,
            )
        return [_message(row) for row in rows]

    async def before(self, room: str, sequence: int, limit: int) -> list[Message]:
        """Up to `limit` messages that precede `sequence`, the newest first."""
        async with self._database.connection("SELECT messages") as connection:
            rows = await connection.fetch(
                "SELECT * FROM messages WHERE room = $1 AND sequence < $2 ORDER BY sequence DESC LIMIT $3",
                room,
                sequence,
                limit,
            )
        return [_message(row) for row in rows]


async def _inserted(connection: Any, drafts: Sequence[Draft]) -> Any:
    """The row of each draft, in any order. A repeat is no failure, so its violation ends here, inside what is told."""
    columns = list(zip(*((d.room, d.sender_id, d.message_id, d.sender_name, d.text) for d in drafts), strict=True))
    rooms, later = _counted(drafts)
    with suppress(asyncpg.UniqueViolationError):
        return await connection.fetch(_APPEND_NEW, list(rooms), list(rooms.values()), *columns, later)
    for _ in range(_TRIES - 1):
        with suppress(asyncpg.UniqueViolationError):
            return await connection.fetch(_APPEND, *columns)
    return await connection.fetch(_APPEND, *columns)


def _counted(drafts: Sequence[Draft]) -> tuple[dict[str, int], list[int]]:
    """By room, in the order of names, the number of its drafts; for each draft, how many of its room follow."""
    rooms = dict.fromkeys(sorted({draft.room for draft in drafts}), 0)
    later = []
    for draft in reversed(drafts):
        later.append(rooms[draft.room])
        rooms[draft.room] += 1
    return rooms, later[::-1]


def _message(row: asyncpg.Record) -> Message:
    return Message(
        room=row["room"],
        sequence=row["sequence"],
        sender_id=row["sender_id"],
        message_id=row["message_id"],
        sender_name=row["sender_name"],
        text=row["text"],
        create_time=row["create_time"],
    )
