"""One way to read all users, as a contender of `bench.list`: `python -m bench.list_worker KIND WHERE`.

`grpc` is a client of ListUsers at WHERE. The others read from the database of this URL: `copy` by `COPY … TO STDOUT`,
`rows` by the service's store alone, `messages` by that and what the service makes of it, as bytes.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import asyncpg
import grpc.aio

from bench.issuer import metadata
from bench.rounds import Sample
from bench.worker import answers, serve
from protos.user.v1.user_pb2 import ListUsersRequest
from protos.user.v1.user_pb2_grpc import UserServiceStub
from services.common.postgres import open_database
from services.common.settings import DatabaseSettings
from services.user.service import message
from services.user.store import MIGRATIONS, UserStore
from services.user.users import Selection

COLUMNS = "id, name, email, created_at, updated_at, version"

Read = Callable[[int], Awaitable[int]]  # that many rows at most -> how many there were


@asynccontextmanager
async def listing(target: str) -> AsyncIterator[Read]:
    """A plain client of the contract."""
    async with grpc.aio.insecure_channel(target) as channel:
        stub = UserServiceStub(channel)

        async def read(limit: int) -> int:
            rows, last = 0, ""
            async for user in stub.ListUsers(ListUsersRequest(limit=limit), metadata=tuple(metadata().items())):
                if user.id <= last or user.email != f"{user.name}@example.org":
                    raise RuntimeError(f"after {last} came {user}")
                rows, last = rows + 1, user.id
            return rows

        yield read


@asynccontextmanager
async def copying(url: str) -> AsyncIterator[Read]:
    """What the database itself can give, counted by its lines."""
    connection = await asyncpg.connect(url)

    async def read(limit: int) -> int:
        rows = 0

        async def count(data: bytes) -> None:
            nonlocal rows
            rows += data.count(b"\n")

        await connection.copy_from_query(f"select {COLUMNS} from users order by id limit {limit}", output=count)
        return rows

    yield read
    await connection.close()


@asynccontextmanager
async def reading(url: str, *, messages: bool) -> AsyncIterator[Read]:
    """The service without gRPC."""
    async with open_database(DatabaseSettings(url, "unused"), migrations=MIGRATIONS) as database:
        await answers(database)
        store = UserStore(database)

        async def read(limit: int) -> int:
            rows = 0
            async for user in store.each(Selection(), limit):
                rows += 1
                if messages:
                    message(user).SerializeToString()
            return rows

        yield read


async def main(kind: str, where: str) -> None:
    """Bursts until stdin ends."""
    ways: dict[str, Callable[[str], AbstractAsyncContextManager[Read]]] = {
        "grpc": listing,
        "copy": copying,
        "rows": partial(reading, messages=False),
        "messages": partial(reading, messages=True),
    }
    async with ways[kind](where) as read:

        async def burst(*, rows: int) -> Sample:
            begun, used = time.perf_counter(), time.process_time()
            found = await read(rows)
            if found != rows:
                raise RuntimeError(f"{found} rows came, not {rows}")
            return Sample(rows, time.perf_counter() - begun, time.process_time() - used)

        await serve(burst)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
