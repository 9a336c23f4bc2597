"""Users in PostgreSQL: the only SQL of this service. What it promises, it promises across replicas and races."""

import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg

from services.common.errors import NotFound, Unavailable
from services.common.gathering import UNTOLD, Gathering
from services.common.postgres import Database
from services.user import users
from services.user.lookups import Lookups
from services.user.users import Change, NewUser, Selection, User

MIGRATIONS = Path(__file__).parent / "migrations"

_COLUMNS = "id, name, email, created_at, updated_at, version"
_BATCH = 500

# One statement is one transaction: if the request_id is taken, the user is not made either.
_INSERT = f"""
    with made as (
        insert into users (name, email, name_key, email_key) values ($1, $2, $3, $4)
        on conflict (email_key) do nothing
        returning {_COLUMNS}
    ), noted as (
        insert into create_requests (request_id, user_id, name, email)
        select $5::uuid, id, $1, $2 from made where $5::uuid is not null
    )
    select {_COLUMNS} from made"""  # noqa: S608  # constants

_UPDATE = f"""
    update users set
        name = coalesce($2, name), name_key = coalesce($3, name_key),
        email = coalesce($4, email), email_key = coalesce($5, email_key),
        updated_at = clock_timestamp(), version = version + 1
    where id = $1 and ($6::bigint is null or version = $6)
    returning {_COLUMNS}"""  # noqa: S608

_DELETE = "delete from users where id = $1 and ($2::bigint is null or version = $2) returning id"


class UserStore:
    """All methods raise Unavailable when the database is away."""

    def __init__(self, database: Database, gathering: Gathering = UNTOLD) -> None:
        """`gathering` tells of gets that share a query."""
        self._database = database
        self._lookups = Lookups(self._by_id, gathering=gathering)

    async def get(self, id_: uuid.UUID) -> User:
        """The user of this id. Raises NotFound."""
        user = await self._lookups.get(id_)
        if user is None:
            raise users.not_found(id_)
        return user

    async def get_all(self, ids: Sequence[uuid.UUID]) -> list[User]:
        """Those of these users that exist, in the order of `ids`, by one query."""
        found = await self._by_id(ids)
        return [found[id_] for id_ in ids if id_ in found]

    async def create(self, new: NewUser) -> User:
        """Makes a user, or returns the one that the same request made before.

        Raises AlreadyExists for a taken e-mail, InvalidArgument if the request_id came before with other fields.
        """
        # Only a user who is deleted between our statements makes a second round necessary.
        for _ in range(3):
            made = await self._insert(new)
            if made is not None:
                return made
            known = await self.created_by(new)
            if known is not None:
                return known
            if await self.has_email(new.email):
                raise users.email_taken(new.email)
        raise Unavailable("CREATE_RACED", "others create and delete the same user", retry_after_seconds=0.1)

    async def created_by(self, new: NewUser) -> User | None:
        """The user that this request made before, if any. Raises InvalidArgument if it had other fields then."""
        if new.request_id is None:
            return None
        async with self._database.connection("SELECT create_requests") as connection:
            row = await connection.fetchrow(
                "select users.*, asked.name as asked_name, asked.email as asked_email"
                " from create_requests asked join users on users.id = asked.user_id where asked.request_id = $1",
                new.request_id,
            )
        if row is None:
            return None
        if (row["asked_name"], row["asked_email"]) != (new.name, new.email):
            raise users.other_request(new.request_id)
        return _user(row)

    async def has_email(self, email: str) -> bool:
        """Whether a user has this e-mail, whatever its case."""
        async with self._database.connection("SELECT users") as connection:
            query = "select exists (select from users where email_key = $1)"
            return bool(await connection.fetchval(query, users.key(email)))

    async def update(self, change: Change) -> User:
        """The user after the change. Raises NotFound, Aborted for another version, AlreadyExists for a taken e-mail."""
        async with self._database.connection("UPDATE users") as connection:
            try:
                row = await connection.fetchrow(
                    _UPDATE,
                    change.id,
                    change.name,
                    None if change.name is None else users.key(change.name),
                    change.email,
                    None if change.email is None else users.key(change.email),
                    change.version,
                )
            except asyncpg.UniqueViolationError:
                raise users.email_taken(change.email or "") from None
        if row is None:
            raise await self._why_not(change.id)
        return _user(row)

    async def delete(self, id_: uuid.UUID, version: int | None) -> None:
        """Removes the user. Raises NotFound, or Aborted if a version is given and it has another one."""
        async with self._database.connection("DELETE users") as connection:
            gone = await connection.fetchval(_DELETE, id_, version)
        if gone is None:
            raise await self._why_not(id_)

    async def each(self, selection: Selection, limit: int | None) -> AsyncIterator[User]:
        """The users selected, by id, at most `limit`. Holds one batch in memory, and no connection between batches.

        A user who is made while the list runs is in it if its id comes after those already given.
        """
        after, left = selection.after_id or uuid.UUID(int=0), limit
        while left is None or left > 0:
            wanted = _BATCH if left is None else min(_BATCH, left)
            query, values = _page(selection, after, wanted)
            async with self._database.connection("SELECT users") as connection:
                rows = await connection.fetch(query, *values)
            for row in rows:
                yield _user(row)
            if len(rows) < wanted:
                return
            after = rows[-1]["id"]
            left = None if left is None else left - len(rows)

    async def _by_id(self, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, User]:
        async with self._database.connection("SELECT users") as connection:
            rows = await connection.fetch(f"select {_COLUMNS} from users where id = any($1)", ids)  # noqa: S608
        return {row["id"]: _user(row) for row in rows}

    async def _insert(self, new: NewUser) -> User | None:
        """The new user, or None if the e-mail or the request_id is taken."""
        keys = (users.key(new.name), users.key(new.email))
        async with self._database.connection("INSERT users") as connection:
            try:
                row = await connection.fetchrow(_INSERT, new.name, new.email, *keys, new.request_id)
            except asyncpg.UniqueViolationError:  # of the request_id; the e-mail's is "do nothing"
                return None
        return None if row is None else _user(row)

    async def _why_not(self, id_: uuid.UUID) -> Exception:
        """Why a change found no row: the user is gone, or has another version."""
        try:
            await self.get(id_)
        except NotFound as gone:
            return gone
        return users.stale(id_)


def _page(selection: Selection, after: uuid.UUID, limit: int) -> tuple[str, list[Any]]:
    """The query for one batch: only the conditions that are asked for, so that each can use its index."""
    conditions, values = ["id > $1"], [after, limit]
    if selection.name_prefix:
        values.append(users.key(selection.name_prefix))
        conditions.append(f"name_key ^@ ${len(values)}")
    if selection.email:
        values.append(users.key(selection.email))
        conditions.append(f"email_key = ${len(values)}")
    where = " and ".join(conditions)
    return f"select {_COLUMNS} from users where {where} order by id limit $2", values  # noqa: S608


def _user(row: Any) -> User:
    return User(
        id=row["id"],
        name=row["name"],
        email=row["email"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        version=row["version"],
    )
