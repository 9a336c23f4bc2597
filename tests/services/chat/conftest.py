"""What the tests of chat share: one NATS, one user service, and two replicas over a database of their own."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from services.chat.server import MIGRATIONS
from services.common.postgres import Database, open_database
from services.common.settings import DatabaseSettings
from tests.kit import Limit, eventually
from tests.services.chat.nats import Nats
from tests.services.chat.replicas import Directory, Person, Replica, directory, replica
from tests.services.issuer import Issuer
from tests.services.postgres import Postgres


@pytest.fixture(scope="session")
def sockets() -> Iterator[Path]:
    """A folder with a short path, for Unix sockets."""
    with tempfile.TemporaryDirectory(prefix="chat", dir="/tmp") as folder:
        yield Path(folder)


@pytest_asyncio.fixture(scope="session")
async def nats() -> AsyncIterator[Nats]:
    """A server that all tests share: do not stop it."""
    server = Nats()
    try:
        await server.start()
        yield server
    finally:
        server.stop()


@pytest_asyncio.fixture(scope="session")
async def users(postgres: Postgres, issuer: Issuer, sockets: Path) -> AsyncIterator[Directory]:
    """The user service."""
    folder = sockets / "user"
    folder.mkdir()
    async with directory(folder, await postgres.new_database(), issuer) as one:
        yield one


@pytest_asyncio.fixture(scope="session")
async def chat_database(postgres: Postgres) -> DatabaseSettings:
    """The database of the two replicas."""
    return await postgres.new_database()


@pytest_asyncio.fixture(scope="session")
async def replicas(
    chat_database: DatabaseSettings, nats: Nats, users: Directory, sockets: Path
) -> AsyncIterator[list[Replica]]:
    """Two replicas that the tests share."""
    async with AsyncExitStack() as stack:
        both = []
        for name in ("chat-0", "chat-1"):
            (sockets / name).mkdir()
            both.append(
                await stack.enter_async_context(
                    replica(sockets / name, database=chat_database, nats=nats, users=users, drain_seconds=0.5)
                )
            )
        yield both


@pytest_asyncio.fixture(scope="session")
async def ada(users: Directory) -> Person:
    """A user."""
    return await users.person("Ada")


@pytest_asyncio.fixture(scope="session")
async def bob(users: Directory) -> Person:
    """Another user."""
    return await users.person("Bob")


@pytest_asyncio.fixture
async def database(postgres: Postgres) -> AsyncIterator[Database]:
    """A migrated database of the test's own, without a service."""
    async with open_database(await postgres.new_database(), migrations=MIGRATIONS) as one:

        async def migrated() -> bool:
            await one.check()
            return True

        await eventually(migrated, within=Limit.STARTED, what="the database is migrated")
        yield one
