"""Chat replicas for tests: the real wiring, each on a Unix socket, with real PostgreSQL, NATS and user service."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc.aio

from protos.chat.v1 import chat_pb2, chat_pb2_grpc
from protos.user.v1 import user_pb2, user_pb2_grpc
from services.chat.conversations import Patience
from services.chat.server import wired
from services.chat.settings import ChatSettings
from services.chat.transfers import Pace
from services.common.drain import Drain
from services.common.postgres import open_database
from services.common.serve import Service, running
from services.common.settings import DatabaseSettings
from services.common.telemetry import Telemetry, set_up
from services.user.service import UserService
from services.user.store import MIGRATIONS, UserStore
from tests.kit import Limit, eventually
from tests.services.chat.nats import Nats
from tests.services.issuer import Issuer

Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Person:
    """A user, and the metadata of calls that he or she makes."""

    id: str
    name: str
    metadata: Metadata


@dataclass(frozen=True)
class Directory:
    """The user service, as tests use it."""

    target: str
    stub: "user_pb2_grpc.UserServiceAsyncStub"
    issuer: Issuer

    async def person(self, name: str) -> Person:
        """A new user."""
        email = f"{uuid.uuid4().hex}@example.com"
        request = user_pb2.CreateUserRequest(name=name, email=email)
        user = await self.stub.CreateUser(request, metadata=self.issuer.bearer(str(uuid.uuid4())))
        return Person(user.id, name, self.issuer.bearer(user.id))

    async def delete(self, person: Person) -> None:
        """The user is no more."""
        await self.stub.DeleteUser(user_pb2.DeleteUserRequest(id=person.id), metadata=person.metadata)


@asynccontextmanager
async def directory(folder: Path, database: DatabaseSettings, issuer: Issuer) -> AsyncIterator[Directory]:
    """A user service in `folder`, while the context lasts."""
    settings = issuer.settings(folder, drain_seconds=1.0)
    drain = Drain()
    async with open_database(database, migrations=MIGRATIONS) as users:
        servicer = UserService(UserStore(users), drain)
        service = Service(
            names=("user.v1.UserService",),
            register=lambda server: user_pb2_grpc.add_UserServiceServicer_to_server(servicer, server),
            stores={"database": users.check},
        )
        async with (
            running(settings, service, drain, set_up("user", "user-0")) as health,
            grpc.aio.insecure_channel(settings.grpc_listen) as channel,
        ):
            await eventually(lambda: health.status("readiness") == 1, within=Limit.STARTED, what="user is ready")
            yield Directory(settings.grpc_listen, user_pb2_grpc.UserServiceStub(channel), issuer)


@dataclass(frozen=True)
class Replica:
    """One chat replica, seen from a client, and what a test needs to make it stop."""

    stub: "chat_pb2_grpc.ChatServiceAsyncStub"
    channel: grpc.aio.Channel
    drain: Drain
    health: Any

    def send(self, person: Person, room: str, text: str, message_id: str = "", **options: Any) -> Any:
        """The call SendMessage."""
        request = chat_pb2.SendMessageRequest(room=room, text=text, message_id=message_id)
        return self.stub.SendMessage(request, metadata=person.metadata, **options)

    def watch(self, person: Person, room: str, resume_after: int | None = None) -> Any:
        """The call WatchRoom."""
        return self.stub.WatchRoom(
            chat_pb2.WatchRoomRequest(room=room, resume_after=resume_after), metadata=person.metadata
        )


@asynccontextmanager
async def replica(
    folder: Path,
    *,
    database: DatabaseSettings,
    nats: Nats,
    users: Directory,
    patience: Patience | None = None,
    pace: Pace | None = None,
    reader_queue: int = 1024,
    max_age_seconds: float = 1800.0,
    drain_seconds: float = 5.0,
    telemetry: Telemetry | None = None,
) -> AsyncIterator[Replica]:
    """A chat replica in `folder`, ready."""
    settings = ChatSettings(
        server=users.issuer.settings(folder, pod_name=folder.name, drain_seconds=drain_seconds),
        database=database,
        user_target=users.target,
        nats_url=nats.url,
        nats_token=nats.token,
        reader_queue=reader_queue,
    )
    drain = Drain(max_age_seconds=max_age_seconds)
    telemetry = telemetry or set_up("chat", folder.name)
    async with (
        wired(settings, drain, telemetry, patience=patience, pace=pace) as service,
        running(settings.server, service, drain, telemetry) as health,
        grpc.aio.insecure_channel(settings.server.grpc_listen) as channel,
    ):
        await eventually(lambda: health.status("readiness") == 1, within=Limit.STARTED, what="chat is ready")
        yield Replica(chat_pb2_grpc.ChatServiceStub(channel), channel, drain, health)
