"""The chat service as a process: how it starts, what it says of itself, how it ends."""

import asyncio
import signal
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from protos.chat.v1 import chat_pb2, chat_pb2_grpc
from services.chat.settings import load
from services.common.settings import DatabaseSettings, SettingsError
from tests.kit import Limit, eventually
from tests.services.chat.calls import failure, info_of, new_room, watched
from tests.services.chat.nats import Nats, free_port
from tests.services.chat.replicas import Directory, Person
from tests.services.issuer import AUDIENCE, ISSUER, Issuer
from tests.services.postgres import Postgres

SERVING: int = health_pb2.HealthCheckResponse.SERVING


@dataclass(frozen=True)
class Running:
    """A chat process, and a channel to it."""

    process: "subprocess.Popen[str]"
    channel: grpc.aio.Channel
    metrics_url: str

    @property
    def stub(self) -> "chat_pb2_grpc.ChatServiceAsyncStub":
        """Its chat service."""
        return chat_pb2_grpc.ChatServiceStub(self.channel)

    async def health(self, service: str) -> int:
        """What it answers to a probe."""
        stub: Any = health_pb2_grpc.HealthStub(self.channel)
        return int((await stub.Check(health_pb2.HealthCheckRequest(service=service))).status)


def environment(issuer: Issuer, users: Directory, nats: Nats, database: DatabaseSettings) -> dict[str, str]:
    """What the process reads, but for where it listens."""
    return {
        "DATABASE_URL": database.url,
        "DATABASE_PASSWORD": database.password,
        "JWT_JWKS_FILE": str(issuer.jwks_file),
        "JWT_ISSUER": ISSUER,
        "JWT_AUDIENCE": AUDIENCE,
        "POD_NAME": "chat-0",
        "POD_VERSION": "v1",
        "USER_TARGET": users.target,
        "NATS_URL": nats.url,
        "NATS_TOKEN": nats.token,
        "DRAIN_SECONDS": "5",
    }


@asynccontextmanager
async def started(folder: Path, variables: dict[str, str]) -> AsyncIterator[Running]:
    """`python -m services.chat`, ready; killed at the end if it still runs."""
    await asyncio.to_thread(folder.mkdir)
    target, metrics = f"unix:{folder}/grpc", f"127.0.0.1:{free_port()}"
    listen = {"GRPC_LISTEN": target, "METRICS_LISTEN": metrics}
    process = await asyncio.to_thread(
        subprocess.Popen,
        [sys.executable, "-m", "services.chat"],
        env=variables | listen,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        async with grpc.aio.insecure_channel(target) as channel:
            running = Running(process, channel, f"http://{metrics}/metrics")

            async def ready() -> bool:
                assert process.poll() is None
                return await running.health("readiness") == SERVING

            await eventually(ready, within=Limit.STARTED, what="the process is ready")
            yield running
    finally:
        process.kill()
        process.communicate()


async def test_it_serves_says_what_it_is_and_ends_well(
    sockets: Path, issuer: Issuer, users: Directory, nats: Nats, chat_database: DatabaseSettings, ada: Person
) -> None:
    """Health, reflection, /metrics; SIGTERM ends a stream with where to go on, and the process with 0."""
    async with started(sockets / "process", environment(issuer, users, nats, chat_database)) as one:
        assert await one.health("liveness") == await one.health("chat.v1.ChatService") == SERVING
        assert await listed(one.channel) >= {"chat.v1.ChatService", "user.v1.UserService"}
        room = new_room()
        sent = await one.stub.SendMessage(chat_pb2.SendMessageRequest(room=room, text="hello"), metadata=ada.metadata)
        watch = one.stub.WatchRoom(chat_pb2.WatchRoomRequest(room=room, resume_after=0), metadata=ada.metadata)
        assert [message.text for message in await watched(watch, until=sent.sequence)] == ["hello"]
        lines = ("chat_open_rooms 1.0", "chat_readers 1.0", "chat_deliveries_total 1.0", 'grpc_code="OK"')

        async def counted() -> bool:
            page = await asyncio.to_thread(_read, one.metrics_url)
            return all(line in page for line in lines)

        await eventually(counted, what=f"{lines} in the metrics")
        one.process.send_signal(signal.SIGTERM)
        error = await failure(watch.read())
        info = info_of(error)
        assert (error.code(), info.reason) == (grpc.StatusCode.UNAVAILABLE, "STREAM_DRAINING")
        assert info.metadata["resume_after"] == str(sent.sequence)
        output, _ = await asyncio.to_thread(one.process.communicate, timeout=Limit.STARTED.value)
        assert one.process.returncode == 0, output
        for secret in (nats.token, ada.metadata[0][1].split()[1], '"error"'):
            assert secret not in output


async def test_a_process_killed_in_an_upload_leaves_nothing_and_its_messages_stay(
    sockets: Path, issuer: Issuer, users: Directory, nats: Nats, postgres: Postgres, ada: Person
) -> None:
    database = await postgres.new_database()
    name = database.url.removeprefix("postgresql://").partition("@")[0]
    async with started(sockets / "killed", environment(issuer, users, nats, database)) as one:
        await one.stub.SendMessage(chat_pb2.SendMessageRequest(room="r", text="kept"), metadata=ada.metadata)
        upload: Any = one.stub.UploadFiles(metadata=ada.metadata)
        for _ in range(6):
            await upload.write(chat_pb2.UploadFilesRequest(data=b"x" * (1 << 20)))
        one.process.kill()
        error = await failure(upload)
        assert error.code() is grpc.StatusCode.UNAVAILABLE
    connection = await postgres.connect(name, name)
    try:
        assert await connection.fetchval("SELECT text FROM messages") == "kept"

        async def nothing_left() -> bool:
            return int(await connection.fetchval("SELECT count(*) FROM file_chunks")) == 0

        await eventually(nothing_left, what="no chunk is left")
    finally:
        await connection.close()


async def test_a_wrong_environment_is_told_at_once_and_whole(issuer: Issuer) -> None:
    process = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "services.chat"],
        env={"DATABASE_URL": "mysql://x", "READER_QUEUE": "-1", "NATS_URL": "http://x"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 2
    for name in ("DATABASE_URL", "READER_QUEUE", "NATS_URL", "USER_TARGET", "JWT_JWKS_FILE", "POD_NAME"):
        assert name in process.stderr
    assert "Traceback" not in process.stderr


def test_settings_have_defaults_and_hide_secrets(issuer: Issuer) -> None:
    variables = {
        "DATABASE_URL": "postgresql://chat@host:5432/chat",
        "DATABASE_PASSWORD": "hidden-1",
        "JWT_JWKS_FILE": str(issuer.jwks_file),
        "JWT_ISSUER": ISSUER,
        "JWT_AUDIENCE": AUDIENCE,
        "POD_NAME": "chat-0",
        "POD_VERSION": "v1",
        "USER_TARGET": "user:50051",
        "NATS_URL": "nats://nats:4222",
        "NATS_TOKEN": "hidden-2",
    }
    settings = load(variables)
    assert (settings.heartbeat_seconds, settings.reader_queue) == (30.0, 1024)
    assert "hidden" not in repr(settings)
    with pytest.raises(SettingsError, match="USER_TARGET"):
        load(variables | {"USER_TARGET": "nowhere"})


async def listed(channel: grpc.aio.Channel) -> set[str]:
    """The services that reflection lists."""
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
    call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    response = await call.read()
    return {service.name for service in response.list_services_response.service}


def _read(url: str) -> str:
    with urllib.request.urlopen(url) as response:
        page: bytes = response.read()
    return page.decode()
