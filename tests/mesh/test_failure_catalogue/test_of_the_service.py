"""The service said so: its own line has the code, and its error the reason."""

import asyncio
import time
import uuid

import grpc
import pytest

from clients import failure
from protos.chat.v1.chat_pb2 import ListMessagesRequest, WatchRoomRequest
from protos.user.v1.user_pb2 import GetUserRequest
from tests.kit import Limit, eventually
from tests.mesh.backend import Mesh
from tests.mesh.conftest import Somebody, bearer
from tests.mesh.recovery import recovering
from tests.mesh.test_chat import replicas, send
from tests.mesh.test_failure_catalogue.catalogue import Entry, shows
from tests.mesh.test_failure_catalogue.incidents import written

WATCH, LIST = "/chat.v1.ChatService/WatchRoom", "/chat.v1.ChatService/ListMessages"


async def served(mesh: Mesh, entry: Entry, error: grpc.aio.AioRpcError, method: str, *pods: str) -> None:
    """The error is the entry's, and one of these pods has written a line of such a call."""
    code, reason = entry.fields
    assert (error.code().name, failure.reason(error), entry.seen) == (code, reason, code)

    async def once() -> bool:
        asked = {"event": "served", "method": method, "code": code}
        return any(asked.items() <= line.items() for line in await written(mesh, *pods))

    await eventually(once, what=f"{entry.title} in the log of {' or '.join(pods)}")


@shows("UNAUTHENTICATED TOKEN_MISSING")
async def test_no_token(mesh: Mesh, somebody: Somebody, entry: Entry) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as end:
        await somebody.users.GetUser(GetUserRequest(id=somebody.id), timeout=10)
    users = (info.name for info in mesh.pods() if info.name.startswith("mesh/user-"))
    await served(mesh, entry, end.value, "/user.v1.UserService/GetUser", *users)


@pytest.fixture
async def watching(somebody: Somebody) -> tuple[str, str, str]:
    """A room, a replica of chat, and the value of x-room that leads to it."""
    room = f"room-{uuid.uuid4().hex[:10]}"
    await send(somebody, room, "one")
    ways = await eventually(lambda: replicas(somebody, room), what="both replicas of chat are called")
    pod, way = next(iter(ways.items()))
    return room, f"mesh/{pod}", way


@shows("UNAUTHENTICATED TOKEN_EXPIRED")
async def test_a_token_ends_before_the_stream(
    mesh: Mesh, somebody: Somebody, watching: tuple[str, str, str], entry: Entry
) -> None:
    room, pod, way = watching
    metadata = (*bearer(mesh.token(somebody.id, exp=int(time.time()) + 2)), ("x-room", way))
    with pytest.raises(grpc.aio.AioRpcError) as end:
        async for _ in somebody.chat.WatchRoom(WatchRoomRequest(room=room), metadata=metadata, timeout=60):
            pass
    await served(mesh, entry, end.value, WATCH, pod)


@shows("UNAVAILABLE STREAM_DRAINING")
async def test_a_replica_is_stopped(
    mesh: Mesh, somebody: Somebody, watching: tuple[str, str, str], entry: Entry
) -> None:
    room, pod, way = watching
    call = somebody.chat.WatchRoom(WatchRoomRequest(room=room), metadata=(*somebody.metadata, ("x-room", way)))
    await call.read()
    async with recovering(mesh, pod):
        await asyncio.to_thread(mesh.kill, pod, "TERM")
        with pytest.raises(grpc.aio.AioRpcError) as end:
            while await call.read():
                pass
        await served(mesh, entry, end.value, WATCH, pod)


@shows("UNAVAILABLE STORE_UNAVAILABLE")
async def test_the_database_dies(mesh: Mesh, somebody: Somebody, entry: Entry) -> None:
    """Calls go on meanwhile; it dies again if it was back before one of them has missed it."""
    database = "mesh/postgres-0"

    async def missed() -> grpc.aio.AioRpcError:
        while True:
            try:
                await somebody.chat.ListMessages(
                    ListMessagesRequest(room="lobby"), metadata=somebody.metadata, timeout=10
                )
            except grpc.aio.AioRpcError as error:
                if failure.reason(error) == entry.fields[1]:
                    return error

    async def noticed() -> bool:
        await asyncio.to_thread(mesh.kill, database)
        return calling.done()

    async with recovering(mesh, database):
        calling = asyncio.create_task(missed())
        try:
            await eventually(noticed, within=Limit.RECOVERED, what="the database is missed")
            await served(mesh, entry, await calling, LIST, "mesh/chat-0", "mesh/chat-1")
        finally:
            calling.cancel()
