"""A pool of PostgreSQL connections that waits for its database, migrates it, and says Unavailable when it is away.

    async with open_database(settings.database, migrations=HERE / "migrations", telemetry=telemetry) as database:
        async with database.connection("SELECT users") as connection:
            row = await connection.fetchrow("select …", id)

`open_database` returns at once: the pool is made in the background, again and again until the database answers, and
until then every `connection()` raises Unavailable. So a server starts, answers probes, and becomes ready later.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import asyncpg

from services.common import deadline
from services.common.errors import DeadlineExceeded, stores_away
from services.common.migrations import migrate
from services.common.settings import DatabaseSettings
from services.common.telemetry import Telemetry

log = logging.getLogger(__name__)

_CONNECT_SECONDS = 5.0
_ACQUIRE_SECONDS = 5.0
_STATEMENT_SECONDS = 10.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.05, 0.5

# Given at connection start, so that they are the session's defaults.
_SESSION = {
    "application_name": "services",
    "synchronous_commit": "on",  # acknowledged means committed, whatever the role's default says
    "statement_timeout": str(round(_STATEMENT_SECONDS * 1000)),
    "lock_timeout": "5000",
    "idle_in_transaction_session_timeout": "15000",
}

# What a connection raises when its database goes, restarts, is full or refuses us; not what a wrong statement raises.
_AWAY = (
    OSError,  # TimeoutError is one
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
)


class Database:
    """The pool, once there is one. `open_database` makes it."""

    def __init__(self, settings: DatabaseSettings, migrations: Path, size: int, telemetry: Telemetry | None) -> None:
        self._settings = settings
        self._migrations = migrations
        self._size = size
        self._telemetry = telemetry
        self._pool: Any = None
        self._said = ""

    @asynccontextmanager
    async def connection(self, kind: str = "") -> AsyncIterator[Any]:
        """A connection for a few statements. Raises Unavailable if the database is away or none gets free in time.

        `kind`, such as `SELECT users`, is the name under which spans and metrics tell of it; without one, nothing does.
        """
        with self._telemetry.statements.told(kind) if kind and self._telemetry else nullcontext():
            async with self._borrowed() as connection:
                yield connection

    @asynccontextmanager
    async def _borrowed(self) -> AsyncIterator[Any]:
        if self._pool is None:
            raise stores_away("database")
        try:
            async with self._pool.acquire(timeout=_patience()) as connection:
                yield connection
        except asyncpg.QueryCanceledError:  # an OperatorInterventionError, but the database is there
            raise DeadlineExceeded("STATEMENT_TIMEOUT", "the database took too long") from None
        except _AWAY as error:
            self._say(f"the database is away: {type(error).__name__}: {error}")
            raise stores_away("database") from None

    @asynccontextmanager
    async def transaction(self, kind: str = "") -> AsyncIterator[Any]:
        """A connection within a transaction: committed at the end, rolled back on an error."""
        async with self.connection(kind) as connection, connection.transaction():
            yield connection

    async def check(self) -> None:
        """Returns if the database answers and is migrated, raises Unavailable if not."""
        async with self.connection() as connection:
            await connection.execute("select 1")

    async def connect(self) -> None:
        """Migrates, and fills the pool; tries until it succeeds, with growing pauses."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                await self._migrate()
                self._pool = await self._open_pool()
            except Exception as error:
                # Also what retrying will not mend (a wrong password, a broken migration): a person may mend it while
                # we wait, and "NOT_SERVING" with this line is a better place to wait than a crash loop.
                self._say(f"the database is not usable yet: {type(error).__name__}: {error}")
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)
            else:
                log.info("the database is there")
                return

    async def close(self) -> None:
        """Ends all connections, by force those that are still used after a second."""
        if self._pool is not None:
            try:
                async with asyncio.timeout(1):
                    await self._pool.close()
            except TimeoutError:
                self._pool.terminate()

    def _say(self, what: str) -> None:
        """Warns, but not of the same again and again."""
        if what != self._said:
            self._said = what
            log.warning("%s", what)

    async def _migrate(self) -> None:
        connection = await asyncpg.connect(**self._arguments())
        try:
            await migrate(connection, self._migrations)
        finally:
            await connection.close(timeout=1)

    async def _open_pool(self) -> Any:
        return await asyncpg.create_pool(
            min_size=1,
            max_size=self._size,
            reset=_keep_session,
            command_timeout=_STATEMENT_SECONDS + 1,  # for a database that does not even answer the timeout
            server_settings=_SESSION,
            **self._arguments(),
        )

    def _arguments(self) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "dsn": self._settings.url,
            "password": self._settings.password,
            "timeout": _CONNECT_SECONDS,
        }
        if "sslmode=" not in self._settings.url:
            arguments["ssl"] = False  # the sidecar encrypts; asking costs a round trip
        return arguments


@asynccontextmanager
async def open_database(
    settings: DatabaseSettings, *, migrations: Path, size: int = 8, telemetry: Telemetry | None = None
) -> AsyncIterator[Database]:
    """The database while the context lasts; `migrations` is a folder of `0001_what.sql`, `size` bounds the pool.

    Without `telemetry` nobody is told what is done in it.
    """
    database = Database(settings, migrations, size, telemetry)
    connecting = asyncio.create_task(database.connect())
    try:
        yield database
    finally:
        connecting.cancel()
        with suppress(asyncio.CancelledError):
            await connecting
        await database.close()


async def _keep_session(_: Any) -> None:
    """Instead of RESET ALL, a round trip on every release (half of a small query's cost).

    Safe because nothing here changes a session: no SET but SET LOCAL, no LISTEN, no session-level advisory locks, no
    temporary tables. An open transaction is rolled back by the pool itself before this is called.
    """


def _patience() -> float:
    """How long to wait for a free connection: never longer than the caller does."""
    remaining = deadline.remaining_seconds()
    return _ACQUIRE_SECONDS if remaining is None else min(_ACQUIRE_SECONDS, remaining)
