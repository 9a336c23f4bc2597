"""The pool: waits, migrates once, keeps sessions clean, says Unavailable."""

import asyncio
import signal
from pathlib import Path

import asyncpg
import pytest

from services.common.errors import DeadlineExceeded, Unavailable
from services.common.migrations import migrate, read
from services.common.postgres import Database, open_database
from tests.kit import Limit, eventually
from tests.services.postgres import Postgres, answers


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    """One migration that makes a table."""
    (tmp_path / "0001_t.sql").write_text("create table t (n int)")
    return tmp_path


async def _connected(database: Database, within: Limit = Limit.SOON) -> None:
    await eventually(lambda: answers(database), within=within, what="the database answers")


async def test_a_fresh_database_is_migrated_and_answers(postgres: Postgres, migrations: Path) -> None:
    """Once connected, what the migrations made is there."""
    async with open_database(await postgres.new_database(), migrations=migrations) as database:
        await _connected(database)
        await database.check()
        async with database.connection() as connection:
            assert await connection.fetchval("select count(*) from t") == 0


async def test_replicas_that_start_together_migrate_once(postgres: Postgres, migrations: Path) -> None:
    """Five at the same time: one applies each file, the others wait and find nothing to do."""
    (migrations / "0002_slow.sql").write_text("select pg_sleep(0.05); insert into t values (1)")
    settings = await postgres.new_database()
    connections = [await asyncpg.connect(settings.url) for _ in range(5)]
    try:
        applied = await asyncio.gather(*(migrate(connection, migrations) for connection in connections))
        assert sorted(map(len, applied)) == [0, 0, 0, 0, 2]
        assert await connections[0].fetchval("select count(*) from t") == 1
    finally:
        for connection in connections:
            await connection.close()


async def test_a_broken_migration_leaves_nothing(postgres: Postgres, migrations: Path) -> None:
    """All pending files or none."""
    (migrations / "0002_broken.sql").write_text("create table u (n int); select nonsense")
    settings = await postgres.new_database()
    connection = await asyncpg.connect(settings.url)
    try:
        with pytest.raises(asyncpg.UndefinedColumnError):
            await migrate(connection, migrations)
        assert await connection.fetchval("select to_regclass('t')") is None
        (migrations / "0002_broken.sql").write_text("create table u (n int)")
        assert await migrate(connection, migrations) == ("0001_t.sql", "0002_broken.sql")
        assert await migrate(connection, migrations) == ()
    finally:
        await connection.close()


@pytest.mark.parametrize("name", ["2_t.sql", "0003_t.sql", "0001_other.sql"])
def test_misnumbered_migrations_are_refused(migrations: Path, name: str) -> None:
    """A gap, a repeat or another form of name is an error, not a guess."""
    (migrations / name).write_text("select 1")
    with pytest.raises(ValueError, match="migration"):
        read(migrations)


async def test_a_returned_connection_is_clean(postgres: Postgres, migrations: Path) -> None:
    """No RESET is sent, and yet neither an open transaction nor SET LOCAL outlives its use."""
    async with open_database(await postgres.new_database(), migrations=migrations, size=1) as database:
        await _connected(database)
        async with database.connection() as connection:
            first = await connection.fetchval("select pg_backend_pid()")
            await connection.execute("begin; set local statement_timeout = 1; insert into t values (1)")
        with pytest.raises(asyncpg.UndefinedColumnError):
            async with database.transaction() as connection:
                await connection.execute("insert into t values (2)")
                await connection.execute("select nonsense")
        async with database.connection() as connection:
            assert await connection.fetchval("select pg_backend_pid()") == first
            assert not connection.is_in_transaction()
            assert await connection.fetchval("show statement_timeout") == "10s"
            assert await connection.fetchval("select count(*) from t") == 0


async def test_no_round_trip_on_release(postgres: Postgres, migrations: Path) -> None:
    """The last statement that the server saw after a release is our own."""
    settings = await postgres.new_database()
    async with open_database(settings, migrations=migrations, size=1) as database:
        await _connected(database)
        async with database.connection() as connection:
            await connection.fetchval("select 41 + 1")
        watching = await asyncpg.connect(settings.url)
        try:
            ours = "application_name = 'services' and datname = current_database()"
            seen = await watching.fetchval(f"select query from pg_stat_activity where {ours}")
        finally:
            await watching.close()
        assert seen == "select 41 + 1"


async def test_a_cancelled_query_stops_in_the_database_and_its_connection_is_used_again(
    postgres: Postgres, migrations: Path
) -> None:
    """Work stops when its caller does."""
    settings = await postgres.new_database()
    async with open_database(settings, migrations=migrations, size=1) as database:
        await _connected(database)

        async def slow() -> None:
            async with database.connection() as connection:
                await connection.execute("select pg_sleep(8)")

        task = asyncio.create_task(slow())
        watching = await asyncpg.connect(settings.url)
        running = "select count(*) from pg_stat_activity where query = 'select pg_sleep(8)' and state = 'active'"
        try:
            await eventually(lambda: watching.fetchval(running), what="the query runs")
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await watching.fetchval(running) == 0
        finally:
            await watching.close()
        await database.check()


async def test_a_statement_past_its_time_is_a_deadline(postgres: Postgres, migrations: Path) -> None:
    """Neither an outage of the store nor a bug."""
    async with open_database(await postgres.new_database(), migrations=migrations) as database:
        await _connected(database)
        with pytest.raises(DeadlineExceeded):
            async with database.transaction() as connection:
                await connection.execute("set local statement_timeout = 20")
                await connection.execute("select pg_sleep(8)")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
async def test_a_database_that_goes_is_unavailable_and_its_return_is_noticed(
    own_postgres: Postgres, migrations: Path, how: signal.Signals
) -> None:
    """Also in the middle of a statement; with a RetryInfo; and nobody has to reconnect by hand."""
    async with open_database(await own_postgres.new_database(), migrations=migrations) as database:
        await _connected(database)

        async def slow() -> None:
            async with database.connection() as connection:
                await connection.execute("select pg_sleep(8)")

        task = asyncio.create_task(slow())
        await eventually(lambda: database._pool.get_size() > database._pool.get_idle_size(), what="it is in use")
        await asyncio.to_thread(own_postgres.stop, how)
        with pytest.raises(Unavailable) as caught:
            await task
        assert caught.value.retry_after_seconds == 1.0
        with pytest.raises(Unavailable):
            await database.check()
        own_postgres.start()
        await _connected(database, within=Limit.RECOVERED)


async def test_a_database_that_comes_late_is_waited_for(own_postgres: Postgres, migrations: Path) -> None:
    """The process starts without it, says Unavailable, and is there once it is."""
    settings = await own_postgres.new_database()
    own_postgres.stop()
    async with open_database(settings, migrations=migrations) as database:
        with pytest.raises(Unavailable):
            await database.check()
        own_postgres.start()
        await _connected(database, within=Limit.STARTED)
