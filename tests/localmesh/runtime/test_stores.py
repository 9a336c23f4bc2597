"""The real stores, run as deploy/local.yaml has them run."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import asyncpg
import nats
import pytest

from localmesh.errors import MeshError
from localmesh.manifests import loads
from localmesh.mesh.workloads import Asks, Container, EnvVar, Keeps, Mount, Probe, Volume, Workload
from localmesh.runtime import programs
from localmesh.runtime.dirs import Dirs
from localmesh.runtime.plan import plan
from localmesh.runtime.podplan import PodPlan
from localmesh.runtime.supervisor import Supervisor
from localmesh.up.local import local_run
from tests.kit import Limit, eventually
from tests.localmesh.runtime.kit import Proxy, machine, mesh, workload

SQL = b"""
CREATE ROLE chat LOGIN PASSWORD 'of chat';
CREATE DATABASE chat OWNER chat;
REVOKE CONNECT ON DATABASE chat FROM PUBLIC;
CREATE ROLE other LOGIN PASSWORD 'of other';
"""
DEPLOYED = Path(__file__).resolve().parents[3] / "deploy" / "local.yaml"
# Without what it opens: there is no gateway here.
LOCAL = replace(local_run(loads(DEPLOYED.read_text()).local), expose=())


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
            readiness=Probe(Asks.EXEC, command=("pg_isready", "-q", "-U", "postgres"), period=2),
        ),
        proxy=Proxy.SIDECAR,
        volumes=(Volume("data", Keeps.DATA), Volume("init", files={"roles.sql": sql})),
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


async def test_a_database_whose_first_start_fails_is_made_anew_and_says_why_but_no_password(dirs: Dirs) -> None:
    programs.require_rootless()
    broken = without_envoy(dirs, postgres(b"CREATE ROLE chat;\nCREATE NONSENSE PASSWORD 'of nobody';\n"))
    supervisor = Supervisor(bootstrap=lambda _: "", on_change=lambda: asyncio.sleep(0))
    await supervisor.reconcile([broken])
    states = await eventually(
        lambda: [each for each in supervisor.states() if each.restarts], within=Limit.STARTED, what="it fails"
    )
    await supervisor.stop()
    for told in (states[0].reason, broken.apps[0].launch.log.read_text()):
        assert 'syntax error at or near "NONSENSE"' in told
        assert "of nobody" not in told and "of the owner" not in told
    mended = without_envoy(dirs, postgres())
    async with running(mended):
        connection = await connect(mended, "chat", "of chat", "chat")
        assert await connection.fetchval("SELECT 1") == 1


async def test_nats_listens_behind_its_sidecar_only(dirs: Dirs) -> None:
    container = Container(
        "nats",
        "nats:2.15",
        ports=(("tcp-nats", 4222),),
        mounts=(Mount("config", "/etc/nats"),),
        readiness=Probe(Asks.TCP, port=4222),
    )
    config = Volume("config", files={"nats.conf": b"max_payload: 1MB"})
    pod = without_envoy(dirs, workload("nats", container, volumes=(config,)))
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
