"""The real process: its environment, its start, its end, and its life without a database."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from protos.user.v1 import user_pb2, user_pb2_grpc
from services.common import status
from services.common.settings import DatabaseSettings
from services.user.service import NAME
from tests.kit import Limit, eventually
from tests.services.issuer import AUDIENCE, ISSUER, Issuer
from tests.services.otlp import Collector, listening
from tests.services.postgres import Postgres

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


@dataclass(frozen=True)
class Process:
    """`python -m services.user`, and a client of it."""

    process: asyncio.subprocess.Process
    channel: grpc.aio.Channel
    stub: Any
    bearer: Any

    async def health(self, name: str) -> Any:
        """The answer of a probe."""
        stub = health_pb2_grpc.HealthStub(self.channel)
        return (await stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=5)).status

    async def becomes(self, name: str, expected: Any) -> None:
        """Waits until this probe's answer is the expected one."""

        async def as_expected() -> bool:
            return bool(await self.health(name) == expected)

        await eventually(as_expected, within=Limit.RECOVERED, what=f"health of {name!r} becomes {expected}")


async def _started(issuer: Issuer, database: DatabaseSettings, folder: Path, **more: str) -> Process:
    environ = {
        "PATH": os.environ["PATH"],
        "GRPC_LISTEN": f"unix:{folder}/grpc",
        "METRICS_LISTEN": f"unix:{folder}/metrics",
        "DATABASE_URL": database.url,
        "DATABASE_PASSWORD": database.password,
        "JWT_JWKS_FILE": str(issuer.jwks_file),
        "JWT_ISSUER": ISSUER,
        "JWT_AUDIENCE": AUDIENCE,
        "POD_NAME": "user-0",
        "POD_VERSION": "v1",
        **more,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.user", env=environ, stdout=asyncio.subprocess.PIPE
    )
    options = (
        ("grpc.enable_retries", 0),
        ("grpc.initial_reconnect_backoff_ms", 50),
        ("grpc.max_reconnect_backoff_ms", 200),
    )
    channel = grpc.aio.insecure_channel(f"unix:{folder}/grpc", options=options)
    return Process(process, channel, user_pb2_grpc.UserServiceStub(channel), issuer.bearer("tester"))


@pytest.fixture
async def database(own_postgres: Postgres) -> DatabaseSettings:
    """A database that this test may take away."""
    return await own_postgres.new_database()


@pytest.fixture
async def running(issuer: Issuer, database: DatabaseSettings) -> AsyncIterator[Process]:
    """The process, started; nobody has waited for its database yet."""
    with tempfile.TemporaryDirectory(prefix="p", dir="/tmp") as folder:
        started = await _started(issuer, database, Path(folder))
        try:
            yield started
        finally:
            await started.channel.close()
            if started.process.returncode is None:
                started.process.kill()
            await started.process.communicate()


async def test_sigterm_ends_a_stream_with_a_place_to_resume_and_lets_a_unary_call_finish(
    running: Process, own_postgres: Postgres, database: DatabaseSettings
) -> None:
    """Then the process exits with 0, without waiting for its whole DRAIN_SECONDS."""
    await running.becomes(NAME, SERVING)
    connection = await own_postgres.connect("postgres", database.url.split("/")[3].split("?")[0])
    await connection.execute(
        "insert into users (name, email, name_key, email_key) select repeat('n', 100), 'e' || i || '@x.org',"
        " repeat('n', 100), 'e' || i || '@x.org' from generate_series(1, 30000) i"
    )
    stream = running.stub.ListUsers(user_pb2.ListUsersRequest(), metadata=running.bearer)
    last = (await stream.read()).id  # and then flow control holds the rest back
    holding = connection.transaction()
    await holding.start()
    await connection.execute("lock table users in exclusive mode")
    create = user_pb2.CreateUserRequest(name="late", email="late@example.org", request_id=str(uuid.uuid4()))
    unary = asyncio.ensure_future(_call(running.stub.CreateUser(create, metadata=running.bearer, timeout=30)))
    waiting = "select count(*) from pg_locks where not granted"
    await eventually(lambda: connection.fetchval(waiting), what="the unary call is at work in the database")

    running.process.send_signal(signal.SIGTERM)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        while (user := await stream.read()) is not grpc.aio.EOF:
            last = user.id
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    ended = status.from_call(caught.value)
    assert (ended.reason, ended.values["resume_after"]) == ("STREAM_DRAINING", last)
    assert not unary.done()
    await holding.rollback()
    assert (await unary).name == "late"
    await connection.close()
    log, _ = await running.process.communicate()
    assert running.process.returncode == 0, log.decode()
    assert '"code": "UNAVAILABLE"' in log.decode() and "Traceback" not in log.decode()


async def _call(call: Any) -> Any:
    return await call


async def test_without_its_database_it_is_alive_not_ready_and_says_when_to_retry(
    running: Process, own_postgres: Postgres
) -> None:
    """And everything is as before once the database is back."""
    await running.becomes(NAME, SERVING)
    request = user_pb2.CreateUserRequest(name="ada", email="ada@example.org")
    made = await running.stub.CreateUser(request, metadata=running.bearer)
    await asyncio.to_thread(own_postgres.stop, signal.SIGQUIT)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await running.stub.GetUser(user_pb2.GetUserRequest(id=made.id), metadata=running.bearer)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    error = status.from_call(caught.value)
    assert (error.reason, error.retry_after_seconds) == ("STORE_UNAVAILABLE", 1.0)
    await running.becomes(NAME, NOT_SERVING)
    assert await running.health("readiness") == NOT_SERVING
    assert await running.health("liveness") == await running.health("") == SERVING
    own_postgres.start()
    await running.becomes(NAME, SERVING)
    assert await running.stub.GetUser(user_pb2.GetUserRequest(id=made.id), metadata=running.bearer) == made


async def test_it_starts_before_its_database_and_waits_for_it(
    issuer: Issuer, own_postgres: Postgres, database: DatabaseSettings
) -> None:
    """Answering probes meanwhile; SIGINT ends it then, too."""
    own_postgres.stop()
    with tempfile.TemporaryDirectory(prefix="p", dir="/tmp") as folder:
        started = await _started(issuer, database, Path(folder))
        try:
            await started.becomes("liveness", SERVING)
            assert await started.health("readiness") == NOT_SERVING
            own_postgres.start()
            await started.becomes("readiness", SERVING)
        finally:
            await started.channel.close()
            started.process.send_signal(signal.SIGINT)
            await started.process.communicate()
    assert started.process.returncode == 0


def test_a_wrong_environment_is_one_message_and_exit_2() -> None:
    """It names every variable, starts nothing and shows no traceback."""
    environ = {"PATH": os.environ["PATH"], "GRPC_LISTEN": "nowhere", "DATABASE_URL": "mysql://me:hunter2@db/x"}
    ended = subprocess.run(
        [sys.executable, "-m", "services.user"], env=environ, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    for name in ("GRPC_LISTEN", "DATABASE_URL", "DATABASE_PASSWORD", "JWT_JWKS_FILE", "JWT_ISSUER", "POD_NAME"):
        assert f"\n{name} " in ended.stderr
    assert "Traceback" not in ended.stderr and "hunter2" not in ended.stderr


async def test_a_taken_port_is_one_message_and_exit_2(issuer: Issuer, own_postgres: Postgres) -> None:
    """In the log, without a traceback, naming the variable."""
    with socket.create_server(("127.0.0.1", 0)) as taken, tempfile.TemporaryDirectory(prefix="p", dir="/tmp") as folder:
        database = await own_postgres.new_database()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        started = await _started(issuer, database, Path(folder), GRPC_LISTEN=listen)
        log, _ = await started.process.communicate()
        await started.channel.close()
    assert started.process.returncode == 2
    assert f"cannot start: GRPC_LISTEN cannot be listened on: {listen}" in log.decode()
    assert "Traceback" not in log.decode()


async def test_its_spans_leave_before_it_ends(issuer: Issuer, database: DatabaseSettings) -> None:
    """SIGTERM sends those that wait; nobody waits for a collector that takes them as they come."""
    collector = Collector()
    with listening(collector) as port, tempfile.TemporaryDirectory(prefix="p", dir="/tmp") as folder:
        variables = {
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
            "OTEL_BSP_SCHEDULE_DELAY": "3600000",
            "DRAIN_SECONDS": "200",  # a part of it is for the spans: on a busy machine they need a while
        }
        one = await _started(issuer, database, Path(folder), **variables)
        try:
            await one.becomes(NAME, SERVING)
            with pytest.raises(grpc.aio.AioRpcError):
                await one.stub.GetUser(user_pb2.GetUserRequest(id=str(uuid.uuid4())), metadata=one.bearer)
            assert not collector.spans
            one.process.send_signal(signal.SIGTERM)
            output, _ = await asyncio.wait_for(one.process.communicate(), Limit.RECOVERED.value)
        finally:
            await one.channel.close()
            if one.process.returncode is None:
                one.process.kill()
    assert one.process.returncode == 0, output
    assert collector.services == {"user"} and any("GetUser" in span.name for span in collector.spans)


async def test_a_collector_that_is_away_keeps_it_from_nothing(issuer: Issuer, database: DatabaseSettings) -> None:
    """It becomes ready, answers, and ends as it does without one; one line says what is missing."""
    with tempfile.TemporaryDirectory(prefix="p", dir="/tmp") as folder:
        variables = {
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://nobody.invalid:4317",
            "OTEL_BSP_SCHEDULE_DELAY": "10",
        }
        one = await _started(issuer, database, Path(folder), **variables)
        try:
            await one.becomes(NAME, SERVING)
            for _ in range(50):
                with pytest.raises(grpc.aio.AioRpcError, match="no user"):
                    await one.stub.GetUser(user_pb2.GetUserRequest(id=str(uuid.uuid4())), metadata=one.bearer)
            one.process.send_signal(signal.SIGTERM)
            output, _ = await asyncio.wait_for(one.process.communicate(), Limit.RECOVERED.value)
        finally:
            await one.channel.close()
            if one.process.returncode is None:
                one.process.kill()
    assert one.process.returncode == 0, output
    assert sum("nobody.invalid" in line for line in output.decode().splitlines()) <= 1
