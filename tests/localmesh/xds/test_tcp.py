"""A TCP port through two sidecars with real Envoys: bytes arrive, by mTLS, and network RBAC decides who connects."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from localmesh.mesh import Dial, Placement, Pod, Service
from localmesh.mesh.identity import Protocol
from localmesh.mesh.pods import ConnectionListener, Inbound, Outbound
from localmesh.mesh.routes import ConnectionRoute, Target, WeightedTarget
from localmesh.mesh.security import AccessPolicy, Action, Mtls, Operation, Rule, Source
from localmesh.mesh.services import Endpoint, ServicePort
from localmesh.mesh.upstreams import Upstream
from tests.kit import eventually
from tests.localmesh.xds import meshes
from tests.localmesh.xds.envoys import Plane, plane

PORT = 15432
HOST = "postgres.mesh.svc.cluster.local"
STORE_AT, DIALED = "127.44.0.41", ("127.44.0.21", 15232)


def store() -> Service:
    port = ServicePort(PORT, "tcp-postgres", Protocol.TCP, PORT)
    ends = (Endpoint(STORE_AT, PORT, identity=meshes.identity("postgres"), mtls=True),)
    return Service(HOST, "postgres", "mesh", (port,), endpoints={PORT: ends}, identities=(meshes.identity("postgres"),))


def store_pod() -> Pod:
    inbound = Inbound(PORT, Protocol.TCP, Mtls.STRICT, services=((store(), PORT),))
    return Pod("postgres-0", "mesh", {}, meshes.identity("postgres"), STORE_AT, inbound=(inbound,))


def client_pod() -> Pod:
    found = store()
    route = ConnectionRoute((WeightedTarget(Target(HOST, PORT)),))
    upstream = Upstream(found, found.ports[0], endpoints=found.endpoints[PORT])
    outbound = Outbound((upstream,), connections=(ConnectionListener(found, PORT, (), (route,)),))
    return Pod("chat-0", "mesh", {}, meshes.identity("chat"), meshes.CHAT_AT, outbound=outbound)


async def give(control: Plane, app: Path, pod: Pod) -> None:
    placements = {
        "mesh/postgres-0": Placement(STORE_AT, apps={PORT: f"unix:{app}"}),
        "mesh/chat-0": Placement(meshes.CHAT_AT, dials=(Dial(HOST, PORT, *DIALED, authority=f"{HOST}:{PORT}"),)),
    }
    await control.give(replace(meshes.mesh(), pods=(pod, client_pod())), placements)


@pytest.fixture
async def control() -> AsyncIterator[tuple[Plane, Path]]:
    with TemporaryDirectory(prefix="xds") as name:
        folder = Path(name)
        app = folder / "app.sock"
        server = await asyncio.start_unix_server(_upper, app)
        async with server, plane(folder) as made, made.envoy(store_pod()), made.envoy(client_pod()):
            await give(made, app, store_pod())
            yield made, app


async def _upper(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The app: answers each line in capitals."""
    while line := await reader.readline():
        writer.write(line.upper())
        await writer.drain()
    writer.close()


async def _asked(word: str) -> str:
    reader, writer = await asyncio.open_connection(*DIALED)
    try:
        writer.write(f"{word}\n".encode())
        return (await asyncio.wait_for(reader.readline(), 10)).decode().strip()
    except ConnectionError:
        return ""
    finally:
        writer.close()


async def _is_answered() -> bool:
    return await _asked("hello") == "HELLO"


async def test_bytes_pass_and_a_policy_decides_by_identity_and_port(control: tuple[Plane, Path]) -> None:
    """Nobody else's bytes arrive; an edit of policy is a new listener, in force for new connections."""
    made, app = control
    # Envoy acknowledges a listener before its workers listen.
    await eventually(_is_answered, what="a connection is answered without any policy")
    operations = (Operation(ports=(str(PORT),)),)
    for principal, answer in (("cluster.local/ns/mesh/sa/user", ""), ("cluster.local/ns/mesh/sa/chat", "HELLO")):
        rule = Rule((Source(principals=(principal,)),), operations)
        policy = AccessPolicy("a", "mesh", Action.ALLOW, (rule,))
        await give(made, app, replace(store_pod(), access=(policy,)))

        async def decided(answer: str = answer) -> bool:
            return await _asked("hello") == answer

        await eventually(decided, what=f"a connection is answered with {answer!r} when only {principal} may connect")
