"""A real user service on a Unix socket over a real database."""

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from protos.user.v1 import user_pb2_grpc
from services.common import telemetry
from services.common.drain import Drain
from services.common.postgres import Database, open_database
from services.common.serve import Service, running
from services.common.settings import DatabaseSettings
from services.user.service import NAME, UserService
from services.user.store import MIGRATIONS, UserStore
from tests.kit import Limit, eventually
from tests.services.issuer import Issuer
from tests.services.postgres import Postgres, answers


@dataclass(frozen=True)
class Served:
    """A replica, and a client of it that carries a token."""

    stub: Any
    channel: grpc.aio.Channel
    store: UserStore
    database: Database
    drain: Drain
    bearer: Any


Serve = Callable[[DatabaseSettings], AbstractAsyncContextManager[Served]]


@pytest.fixture
async def serve(issuer: Issuer) -> AsyncIterator[Serve]:
    """`async with serve(database_settings) as replica:`; channels stay open after the server."""
    channels: list[grpc.aio.Channel] = []

    @asynccontextmanager
    async def served(settings: DatabaseSettings) -> AsyncIterator[Served]:
        drain = Drain()
        with tempfile.TemporaryDirectory(prefix="u", dir="/tmp") as folder:
            server = issuer.settings(Path(folder))
            async with open_database(settings, migrations=MIGRATIONS) as database:
                store = UserStore(database)
                service = Service(
                    (NAME,),
                    lambda grpc_server: user_pb2_grpc.add_UserServiceServicer_to_server(
                        UserService(store, drain), grpc_server
                    ),
                    {"database": database.check},
                )
                channel = grpc.aio.insecure_channel(server.grpc_listen, options=[("grpc.enable_retries", 0)])
                channels.append(channel)
                async with running(server, service, drain, telemetry.set_up("user", "pod-0")):
                    await eventually(lambda: answers(database), within=Limit.STARTED, what="the database is there")
                    yield Served(
                        user_pb2_grpc.UserServiceStub(channel), channel, store, database, drain, issuer.bearer("tester")
                    )

    yield served
    for channel in channels:
        await channel.close()


@pytest.fixture(scope="module")
async def database_settings(postgres: Postgres) -> DatabaseSettings:
    """A database for this module."""
    return await postgres.new_database()


@pytest.fixture
async def replica(serve: Serve, database_settings: DatabaseSettings) -> AsyncIterator[Served]:
    """One replica over an empty table."""
    async with serve(database_settings) as served:
        async with served.database.connection() as connection:
            await connection.execute("truncate users cascade")
        yield served
