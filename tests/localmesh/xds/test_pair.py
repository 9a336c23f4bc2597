"""Two sidecars with real Envoys: what compile and capture promise holds on the wire."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc
import pytest

from localmesh.mesh import Mesh, Pod
from localmesh.mesh.routes import Fault, RequestMatch, Text, TextMatch
from localmesh.mesh.security import AccessPolicy, Action, Operation, Rule, Source
from tests.localmesh.xds import meshes
from tests.localmesh.xds.envoys import DIRECT, METHOD, Echo, Plane, answered, call, code, echo, plane

DELETE = "/user.v1.UserService/DeleteUser"


@dataclass
class Pair:
    """chat's app calls user's app through both sidecars."""

    plane: Plane
    app: Echo
    socket: Path
    channel: grpc.aio.Channel

    async def give(self, user: Pod | None = None, chat: Pod | None = None) -> None:
        mesh = meshes.mesh(user or meshes.user_pod(), chat or meshes.chat_pod())
        await self.give_mesh(mesh)

    async def give_mesh(self, mesh: Mesh) -> None:
        placements = {
            "mesh/user-0": meshes.user_placement(f"unix:{self.socket}"),
            "mesh/chat-0": meshes.chat_placement(),
        }
        await self.plane.give(mesh, placements)


@pytest.fixture(scope="module")
async def pair() -> AsyncIterator[Pair]:
    with TemporaryDirectory(prefix="xds") as name:
        folder = Path(name)
        socket = folder / "app.sock"
        host, port = meshes.DIALED
        async with (
            echo(socket) as app,
            plane(folder) as control,
            control.envoy(meshes.user_pod()),
            control.envoy(meshes.chat_pod()),
            grpc.aio.insecure_channel(f"{host}:{port}", options=DIRECT) as channel,
        ):
            made = Pair(control, app, socket, channel)
            await made.give()
            await answered(f"{host}:{port}", DIRECT)
            yield made


def allow(*sources: str, paths: tuple[str, ...] = ()) -> AccessPolicy:
    operations = (Operation(paths=paths),) if paths else ()
    rule = Rule((Source(principals=sources),), operations)
    return AccessPolicy("a", "mesh", Action.ALLOW, (rule,))


async def test_a_call_carries_the_callers_identity(pair: Pair) -> None:
    """The app sees who called, as mTLS proved it."""
    await pair.give()
    assert "URI=spiffe://cluster.local/ns/mesh/sa/chat" in await call(pair.channel)


async def test_a_call_leaves_with_the_dialed_name_as_its_authority(pair: Pair) -> None:
    """A policy on hosts sees the name that the manifest has, not the address of the listener."""
    deny = AccessPolicy("h", "mesh", Action.DENY, (Rule(operations=(Operation(hosts=(meshes.AUTHORITY,)),)),))
    await pair.give(replace(meshes.user_pod(), access=(deny,)))
    assert await code(pair.channel) == "PERMISSION_DENIED"


async def test_a_policy_edit_acts_on_the_next_call_of_an_open_connection(pair: Pair) -> None:
    """ALLOW, DENY and their end reach calls on a connection that was open before, without a listener change."""
    await pair.give()
    assert await code(pair.channel) == "OK"
    user = meshes.user_pod()
    await pair.give(replace(user, access=(allow("cluster.local/ns/mesh/sa/nobody"),)))
    assert await code(pair.channel) == "PERMISSION_DENIED"
    await pair.give(replace(user, access=(allow("cluster.local/ns/mesh/sa/chat", paths=(METHOD,)),)))
    assert (await code(pair.channel), await code(pair.channel, DELETE)) == ("OK", "PERMISSION_DENIED")
    deny = AccessPolicy("d", "mesh", Action.DENY, (Rule(operations=(Operation(paths=(METHOD,)),)),))
    await pair.give(replace(user, access=(deny,)))
    assert (await code(pair.channel), await code(pair.channel, DELETE)) == ("PERMISSION_DENIED", "OK")
    await pair.give()
    assert await code(pair.channel) == "OK"


async def test_a_route_edit_acts_on_the_next_call_of_an_open_connection(pair: Pair) -> None:
    """A fault put into a route fires at once, and its removal too."""
    await pair.give()
    assert await code(pair.channel) == "OK"
    broken = replace(meshes.to_user(), fault=Fault(abort_grpc="DATA_LOSS", abort_percent=100.0))
    await pair.give(chat=meshes.chat_pod(broken))
    assert await code(pair.channel) == "DATA_LOSS"
    await pair.give()
    assert await code(pair.channel) == "OK"


async def test_a_failed_call_is_retried_as_the_default_policy_says(pair: Pair) -> None:
    """Two refusals are hidden from the caller, three are not."""
    await pair.give()
    pair.app.calls, pair.app.fails = 0, 2
    assert await code(pair.channel) == "OK"
    assert pair.app.calls == 3
    pair.app.calls, pair.app.fails = 0, 9
    assert await code(pair.channel) == "UNAVAILABLE"
    assert pair.app.calls == 3
    pair.app.fails = 0


async def test_an_authority_match_is_settled_against_the_dialed_name(pair: Pair) -> None:
    """A route for another authority never catches; one for the dialed name does, though the app dialed an address."""
    fault = Fault(abort_grpc="DATA_LOSS", abort_percent=100.0)
    other = replace(
        meshes.to_user("other"),
        match=RequestMatch(authority=TextMatch(Text.EXACT, "other.example.com")),
        fault=fault,
    )
    await pair.give(chat=meshes.chat_pod(other, meshes.to_user()))
    assert await code(pair.channel) == "OK"
    own = replace(other, match=RequestMatch(authority=TextMatch(Text.PREFIX, "user.mesh.")))
    await pair.give(chat=meshes.chat_pod(own, meshes.to_user()))
    assert await code(pair.channel) == "DATA_LOSS"


async def test_a_strict_port_refuses_plaintext(pair: Pair) -> None:
    """Nobody reaches the app without a certificate of the mesh."""
    await pair.give()
    async with grpc.aio.insecure_channel(f"{meshes.USER_AT}:{meshes.GRPC}", options=DIRECT) as plain:
        assert await code(plain) == "UNAVAILABLE"


async def test_a_call_comes_from_the_pods_own_address(pair: Pair) -> None:
    """`source.ip` tells pods apart: a policy on the caller's address holds."""
    user = meshes.user_pod()
    elsewhere = AccessPolicy("ip", "mesh", Action.DENY, (Rule((Source(ip_blocks=("127.44.0.99",)),)),))
    await pair.give(replace(user, access=(elsewhere,)))
    assert await code(pair.channel) == "OK"
    caller = AccessPolicy("ip", "mesh", Action.DENY, (Rule((Source(ip_blocks=(meshes.CHAT_AT,)),)),))
    await pair.give(replace(user, access=(caller,)))
    assert await code(pair.channel) == "PERMISSION_DENIED"


async def test_calls_in_flight_outlive_a_policy_edit(pair: Pair) -> None:
    """An edit of policy ends no call: the listener that carries it stays the same."""
    await pair.give()
    calls = [asyncio.create_task(code(pair.channel)) for _ in range(50)]
    await pair.give(replace(meshes.user_pod(), access=(allow("cluster.local/ns/mesh/sa/chat"),)))
    assert set(await asyncio.gather(*calls)) == {"OK"}
