"""One way to get users by id, as a contender of `bench.get`: `python -m bench.get_worker stock|ours URL`.

`ours` is the store of the service as it is. `stock` is what one writes first: asyncpg's pool as it comes and one query
for each call. Both connect through the same Unix socket and make the same value of what they get.
"""

import asyncio
import random
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import asyncpg

from bench.rounds import Sample
from bench.worker import answers, serve, timed
from services.common.postgres import open_database
from services.common.settings import DatabaseSettings
from services.user.store import MIGRATIONS, UserStore
from services.user.users import User

Get = Callable[[uuid.UUID], Awaitable[User]]


@asynccontextmanager
async def stock(url: str) -> AsyncIterator[Get]:
    """asyncpg's own pool."""
    async with asyncpg.create_pool(url) as pool:

        async def get(id_: uuid.UUID) -> User:
            async with pool.acquire() as connection:
                row = await connection.fetchrow(
                    "select id, name, email, created_at, updated_at, version from users where id = $1", id_
                )
            return User(**row)

        yield get


@asynccontextmanager
async def ours(url: str) -> AsyncIterator[Get]:
    """The service's store."""
    async with open_database(DatabaseSettings(url, "unused"), migrations=MIGRATIONS) as database:
        await answers(database)
        yield UserStore(database).get


async def burst(get: Get, ids: list[uuid.UUID], *, calls: int, in_flight: int, among: int) -> Sample:
    """So many gets of ids among the first so many, at random; each answer is checked."""
    wanted = random.choices(ids[:among], k=calls)

    async def one(number: int) -> None:
        user = await get(wanted[number])
        if user.id != wanted[number] or user.email != f"{user.name}@example.org":
            raise RuntimeError(f"asked for {wanted[number]}, got {user}")

    return await timed(one, calls=calls, in_flight=in_flight)


async def main(kind: str, url: str) -> None:
    """Bursts until stdin ends."""
    connection = await asyncpg.connect(url)
    ids = [row["id"] for row in await connection.fetch("select id from users order by id")]
    await connection.close()
    async with {"stock": stock, "ours": ours}[kind](url) as get:
        await serve(partial(burst, get, ids))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
