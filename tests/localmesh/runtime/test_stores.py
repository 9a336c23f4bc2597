"""The real stores, run as deploy/local.yaml would have them run."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import asyncpg
import nats
import pytest

from localmesh.errors import MeshError
from localmesh.mesh.workloads import Asks, Container, EnvVar, Keeps, Mount, Probe, Volume, Workload
from localmesh.runtime import programs
from localmesh.runtime.dirs import Dirs
from localmesh.runtime.local import Image, Listen, LocalRun, Step
from localmesh.runtime.plan import plan
from localmesh.runtime.podplan import PodPlan
from localmesh.runtime.supervisor import Supervisor
from tests.kit import Limit, eventually
from tests.localmesh.runtime.kit import Proxy, machine, mesh, workload

SQL = b"""
CREATE ROLE chat LOGIN PASSWORD 'of chat';
CREATE DATABASE chat OWNER chat;
REVOKE CONNECT ON DATABASE chat FROM PUBLIC;
CREATE ROLE other LOGIN PASSWORD 'of other';
"""
DATA = "${volume:/var/lib/postgresql}/data"
POSTGRES = Image(
    prepare=(
        Step(
            (
                "${postgres}/initdb",
                "-D",
                DATA,
                "-U",
                "postgres",
                "--pwfile=/dev/stdin",
                "--auth-local=scram-sha-256",
                "--auth-host=reject",
                "--no-sync",
                "--no-instructions",
                "-E",
                "UTF8",
                "--no-locale",
            ),
            stdin="$(POSTGRES_PASSWORD)\n",
        ),
        Step(
            ("${postgres}/postgres", "--single", "-D", DATA, "-c", "exit_on_error=on", "postgres"),
            stdin_file="${volume:/docker-entrypoint-initdb.d}/init.sql",
        ),
    ),
    command=(
        "${postgres}/postgres",
        "-D",
        DATA,
        "-c",
        "unix_socket_directories=${sockets}",
        "-c",
        "listen_addresses=",
    ),
    listen={"tcp-postgres": Listen(socket=".s.PGSQL.5432")},
    env={"PGHOST": "${sockets}", "PGUSER": "postgres", "PGPASSWORD": "$(POSTGRES_PASSWORD)"},
    rootless=True,
    stop_signal="SIGINT",
)
NATS = Image(
    command=("${nats}", "--addr", "${address}", "--port", "${port}"), listen={"tcp-nats": Listen(address=True)}
)
LOCAL = LocalRun({"postgres": POSTGRES, "nats": NATS})


def postgres(sql: bytes = SQL) -> Workload:
    """A PostgreSQL with one data volume, asked by an exec probe as it would be in the cluster."""
    return workload(
        "postgres",
        Container(
            name="postgres",
            image="postgres:18",
            env=(EnvVar("POSTGRES_PASSWORD", "of the owner", secret=True),),
            ports=(("tcp-postgres", 5432),),
            mounts=(Mount("data", "/var/lib/postgresql"), Mount("init", "/docker-entrypoint-initdb.d")),
            readiness=Probe(Asks.EXEC, command=("pg_isready", "-q"), period=2),
        ),
        proxy=Proxy.SIDECAR,
        volumes=(Volume("data", Keeps.DATA), Volume("init", files={"init.sql": sql})),
    )


def without_envoy(dirs: Dirs, of: Workload) -> PodPlan:
    """The plan of the workload's pod: its sidecar is not what is tested here."""
    whole = mesh(of)
    found = {name: str(programs.find(name).path) for name in programs.NAMES}
    return replace(plan(whole, LOCAL, machine(whole, dirs, found))[0], envoy=None)


@asynccontextmanager
async def running(pod: PodPlan) -> AsyncIterator[Supervisor]:
    async def nobody_to_tell() -> None:
        await asyncio.sleep(0)

    supervisor = Supervisor(bootstrap=lambda _: "", on_change=nobody_to_tell)
    try:
        await supervisor.reconcile([pod])
        await supervisor.ready(within=Limit.STARTED.value)
        yield supervisor
    finally:
        await supervisor.stop()


async def connect(pod: PodPlan, user: str, password: str, database: str) -> "asyncpg.Connection[asyncpg.Record]":
    return await asyncpg.connect(host=str(pod.dirs.sockets), user=user, password=password, database=database)


async def test_postgres_starts_with_its_roles_keeps_its_data_and_survives_a_kill(dirs: Dirs) -> None:
    programs.require_rootless()
    pod = without_envoy(dirs, postgres())
    async with running(pod):
        connection = await connect(pod, "chat", "of chat", "chat")
        await connection.execute("CREATE TABLE words AS SELECT 'kept' AS word")
        with pytest.raises(asyncpg.InvalidPasswordError):
            await connect(pod, "chat", "wrong", "chat")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connect(pod, "other", "of other", "chat")
        # It is asked to stop while a client is connected: SIGTERM would wait for the client, SIGINT does not.
    assert not list(dirs.processes.iterdir())
    assert not pod.dirs.run.exists()
    async with running(pod) as supervisor:
        connection = await connect(pod, "chat", "of chat", "chat")
        assert await connection.fetchval("SELECT word FROM words") == "kept"
        supervisor.kill("mesh/postgres-0")
        await eventually(lambda: supervisor.states()[0].restarts, within=Limit.SOON, what="the kill is seen")
        await supervisor.ready(within=Limit.RECOVERED.value)
        connection = await connect(pod, "chat", "of chat", "chat")
        assert await connection.fetchval("SELECT word FROM words") == "kept"


async def test_a_database_whose_first_start_fails_is_made_anew_and_says_why(dirs: Dirs) -> None:
    programs.require_rootless()
    broken = without_envoy(dirs, postgres(b"CREATE ROLE chat;\nCREATE NONSENSE;\n"))
    supervisor = Supervisor(bootstrap=lambda _: "", on_change=lambda: asyncio.sleep(0))
    await supervisor.reconcile([broken])
    states = await eventually(
        lambda: [each for each in supervisor.states() if each.restarts], within=Limit.STARTED, what="it fails"
    )
    assert 'syntax error at or near "NONSENSE"' in states[0].reason
    await supervisor.stop()
    mended = without_envoy(dirs, postgres())
    async with running(mended):
        connection = await connect(mended, "chat", "of chat", "chat")
        assert await connection.fetchval("SELECT 1") == 1


async def test_nats_listens_behind_its_sidecar_only(dirs: Dirs) -> None:
    container = Container("nats", "nats:2.15", ports=(("tcp-nats", 4222),), readiness=Probe(Asks.TCP, port=4222))
    pod = without_envoy(dirs, workload("nats", container))
    assert pod.placement.apps == {4222: "127.15.129.1:4222"}
    async with running(pod):
        client = await nats.connect("nats://127.15.129.1:4222")
        await client.flush()
        await client.close()
        with pytest.raises(OSError):
            await asyncio.open_connection("127.15.1.1", 4222)


def test_root_without_user_namespaces_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(programs, "ROOTLESS", ("false",))
    with pytest.raises(MeshError, match="refuses to run as root, and user namespaces are not allowed"):
        programs.require_rootless()
