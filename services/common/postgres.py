"""PostgreSQL as every service uses it: a pool, migrations, and what its absence means."""

import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.resources.abc import Traversable

import asyncpg

from services.common.errors import stores_away
from services.common.settings import DatabaseSettings

# Longer than any statement of ours takes: a server that does not answer for so long is away.
STATEMENT_SECONDS = 10.0
CONNECT_SECONDS = 5.0

# What PostgreSQL's absence looks like: no connection, none to be had, or one that broke.
_AWAY = (
    OSError,  # TimeoutError is one
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.ReadOnlySQLTransactionError,
)

# Any number will do that is the same for all replicas; replicas of one service share a database.
_MIGRATION_LOCK = 0x6D696772


@asynccontextmanager
async def database(settings: DatabaseSettings, *, name: str, size: int = 8) -> AsyncIterator[asyncpg.Pool]:
    """A pool of up to `size` connections that show as `name` in pg_stat_activity. It connects at the first use, so
    a server that is away is an error of the calls that need it, not of the start."""
    pool = await asyncpg.create_pool(
        settings.url,
        password=settings.password,
        min_size=0,
        max_size=size,
        timeout=CONNECT_SECONDS,
        command_timeout=STATEMENT_SECONDS,
        reset=_as_it_is,
        # Acknowledged means committed, whatever the role's default says.
        server_settings={"application_name": name, "synchronous_commit": "on"},
    )
    try:
        yield pool
    finally:
        pool.terminate()


async def _as_it_is(_connection: object) -> None:
    """Instead of asyncpg's RESET ALL, a round trip on each release: no statement of ours leaves state in a session."""


@contextmanager
def reached() -> Iterator[None]:
    """Raises Unavailable (STORE_UNAVAILABLE) where the statements inside find PostgreSQL away."""
    try:
        yield
    except _AWAY as error:
        raise stores_away("database") from error


async def migrate(pool: asyncpg.Pool, folder: Traversable) -> list[str]:
    """Runs the scripts `NNNN_name.sql` of `folder` that have not run yet, in order, all or none; returns their names.

    Replicas may start together: an advisory lock lets one of them migrate while the others wait. Raises RuntimeError
    if a script has been changed after it ran; Unavailable if PostgreSQL is away.
    """
    scripts = sorted((one.name, one.read_text()) for one in folder.iterdir() if one.name.endswith(".sql"))
    ran: list[str] = []
    with reached():
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _MIGRATION_LOCK)
            await connection.execute(
                "CREATE TABLE IF NOT EXISTS migrations"
                " (name text PRIMARY KEY, sha256 text NOT NULL, run_time timestamptz NOT NULL DEFAULT now())"
            )
            known = dict(await connection.fetch("SELECT name, sha256 FROM migrations"))
            for name, script in scripts:
                digest = hashlib.sha256(script.encode()).hexdigest()
                if name not in known:
                    await connection.execute(script, timeout=None)
                    await connection.execute("INSERT INTO migrations (name, sha256) VALUES ($1, $2)", name, digest)
                    ran.append(name)
                elif known[name] != digest:
                    raise RuntimeError(f"migration {name} has changed since it ran: add a new one instead")
    return ran
