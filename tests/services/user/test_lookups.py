"""services.user.lookups over a real database: gathered, and never older than the call that asked."""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Sequence

import pytest

from services.common.errors import NotFound, Unavailable
from services.common.postgres import open_database
from services.common.settings import DatabaseSettings
from services.user.lookups import Lookups
from services.user.store import MIGRATIONS, UserStore
from services.user.users import Change, NewUser, User
from tests.kit import Limit, eventually
from tests.services.postgres import answers


@pytest.fixture
async def store(database_settings: DatabaseSettings) -> AsyncIterator[UserStore]:
    """An empty store."""
    async with open_database(database_settings, migrations=MIGRATIONS) as database:
        await eventually(lambda: answers(database), within=Limit.STARTED, what="the database is there")
        async with database.connection() as connection:
            await connection.execute("truncate users cascade")
        yield UserStore(database)


class Held:
    """The queries of a real store: each is noted, and its answer held back while `go` is not set."""

    def __init__(self, store: UserStore) -> None:
        self.store = store
        self.go = asyncio.Event()
        self.asked: list[list[uuid.UUID]] = []
        self.answered = 0

    async def fetch(self, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, User]:
        self.asked.append(list(ids))
        found = {user.id: user for user in await self.store.get_all(ids)}
        self.answered += 1
        await self.go.wait()
        return found


async def made(store: UserStore, count: int) -> list[User]:
    return [await store.create(NewUser(f"user {n}", f"{n}@example.org")) for n in range(count)]


async def answered(held: Held, count: int) -> None:
    await eventually(lambda: held.answered == count, what=f"the database has answered {count} queries")


async def test_a_get_that_begins_after_a_write_sees_it_though_an_older_query_is_on_its_way(store: UserStore) -> None:
    held = Held(store)
    lookups = Lookups(held.fetch)
    [user] = await made(store, 1)
    before = asyncio.create_task(lookups.get(user.id))
    await answered(held, 1)  # with the old name, but nobody has it yet
    await store.update(Change(user.id, name="new"))
    after = asyncio.create_task(lookups.get(user.id))
    held.go.set()
    found = await asyncio.gather(before, after)
    assert [one.name for one in found if one] == ["user 0", "new"]


async def test_a_lone_get_is_a_query_at_once(store: UserStore) -> None:
    held = Held(store)
    held.go.set()
    [user] = await made(store, 1)
    assert await Lookups(held.fetch).get(user.id) == user
    assert held.asked == [[user.id]]


async def test_what_is_asked_meanwhile_is_one_query_with_each_id_once(store: UserStore) -> None:
    held = Held(store)
    lookups = Lookups(held.fetch)
    first, second, third = await made(store, 3)
    ids = [first.id, second.id, third.id, second.id, third.id, third.id]
    asking = [asyncio.create_task(lookups.get(ids[0]))]
    await answered(held, 1)
    asking += [asyncio.create_task(lookups.get(id_)) for id_ in ids[1:]]
    held.go.set()
    assert await asyncio.gather(*asking) == [first, second, third, second, third, third]
    assert held.asked == [[first.id], [second.id, third.id]]


async def test_who_gives_up_does_not_take_the_answer_from_the_others(store: UserStore) -> None:
    held = Held(store)
    lookups = Lookups(held.fetch)
    [user] = await made(store, 1)
    gone, stays = (asyncio.create_task(lookups.get(user.id)) for _ in range(2))
    await answered(held, 1)
    gone.cancel()
    held.go.set()
    assert await stays == user
    with pytest.raises(asyncio.CancelledError):
        await gone


async def test_a_query_that_fails_fails_its_callers_and_no_later_one(store: UserStore) -> None:
    [user] = await made(store, 1)
    away = True

    async def fetch(ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, User]:
        if away:
            raise Unavailable("STORE_UNAVAILABLE", "away")
        return {one.id: one for one in await store.get_all(ids)}

    lookups = Lookups(fetch)
    for failed in await asyncio.gather(*(lookups.get(user.id) for _ in range(3)), return_exceptions=True):
        assert isinstance(failed, Unavailable)
    away = False
    assert await lookups.get(user.id) == user


async def test_no_more_ids_than_a_batch_holds_are_in_one_query(store: UserStore) -> None:
    held = Held(store)
    held.go.set()
    lookups = Lookups(held.fetch, batch=4)
    users = await made(store, 10)
    assert await asyncio.gather(*(lookups.get(user.id) for user in users)) == users
    assert max(map(len, held.asked)) == 4


async def test_readers_and_writers_at_once_never_see_an_older_version_than_was_written_before_they_asked(
    store: UserStore,
) -> None:
    users = await made(store, 4)
    written = {user.id: user.version for user in users}
    chance = random.Random(7)
    reads = 0

    async def write(id_: uuid.UUID) -> None:
        for number in range(60):
            changed = await store.update(Change(id_, name=f"name {number}"))
            written[id_] = changed.version

    async def read(writing: asyncio.Task[None]) -> None:
        nonlocal reads
        while not writing.done():
            id_ = chance.choice(users).id
            at_least = written[id_]
            assert (await store.get(id_)).version >= at_least
            reads += 1

    async with asyncio.TaskGroup() as tasks:
        writing = [tasks.create_task(write(user.id)) for user in users]
        for place in range(24):
            tasks.create_task(read(writing[place % 4]))
    assert reads >= 24  # how many more depends on the machine


async def test_a_user_who_is_deleted_is_not_found_by_the_next_get(store: UserStore) -> None:
    [user] = await made(store, 1)
    reading = [asyncio.create_task(store.get(user.id)) for _ in range(20)]
    await store.delete(user.id, None)
    with pytest.raises(NotFound):
        await store.get(user.id)
    await asyncio.gather(*reading, return_exceptions=True)
