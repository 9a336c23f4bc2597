"""Conversations through the mesh: two replicas, one order, nothing lost or shown twice."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator

import grpc
import pytest

from protos.chat.v1.chat_pb2 import (
    ChatRequest,
    ListMessagesRequest,
    Message,
    SendMessageRequest,
    WatchRoomRequest,
)
from protos.user.v1.user_pb2 import DeleteUserRequest
from tests.mesh.backend import Mesh
from tests.mesh.conftest import Somebody, bearer, header


@pytest.fixture
def room() -> str:
    """A room of this test's own."""
    return f"room-{uuid.uuid4().hex[:10]}"


async def send(who: Somebody, room: str, text: str, message_id: str = "", *, affinity: str | None = None) -> Message:
    """SendMessage, with another `affinity` than the room's own to reach the other replica."""
    metadata = (*who.metadata, ("x-room", affinity or room))
    request = SendMessageRequest(room=room, text=text, message_id=message_id)
    return await who.chat.SendMessage(request, metadata=metadata, timeout=20)


async def watched(who: Somebody, room: str, count: int, affinity: str, after: int = 0) -> list[Message]:
    """The first `count` messages that a watcher of the room sees."""
    metadata = (*who.metadata, ("x-room", affinity))
    call = who.chat.WatchRoom(WatchRoomRequest(room=room, resume_after=after), metadata=metadata, timeout=60)
    seen: list[Message] = []
    async for response in call:
        seen += response.messages
        if len(seen) >= count:
            break
    call.cancel()
    return seen


async def replicas(who: Somebody, room: str) -> dict[str, str]:
    """For each replica a value of x-room that leads to it."""
    found: dict[str, str] = {}
    for number in range(200):
        value = f"probe-{number}"
        call = who.chat.ListMessages(
            ListMessagesRequest(room="lobby"), metadata=(*who.metadata, ("x-room", value)), timeout=10
        )
        found.setdefault(header(await call.trailing_metadata(), "x-pod"), value)
        if len(found) == 2:
            return found
    raise AssertionError(f"two hundred values of x-room all lead to {set(found)}")


async def test_two_people_chat(somebody: Somebody, room: str) -> None:
    """Over one bidirectional stream each; each sees both, own messages included, in the room's order."""

    async def talk(lines: list[str]) -> list[tuple[int, str]]:
        call = somebody.chat.Chat(metadata=(*somebody.metadata, ("x-room", room)), timeout=30)
        await call.write(ChatRequest(room=room, resume_after=0))
        for line in lines:
            await call.write(ChatRequest(text=line, message_id=uuid.uuid4().hex))
        seen = []
        async for response in call:
            seen.append((response.sequence, response.text))
            if len(seen) == 4:
                break
        call.cancel()
        return seen

    ada, bob = await asyncio.gather(talk(["hello", "how are you?"]), talk(["hi", "fine"]))
    assert ada == bob
    assert [sequence for sequence, _ in ada] == [1, 2, 3, 4]
    assert {text for _, text in ada} == {"hello", "how are you?", "hi", "fine"}


async def test_readers_at_both_replicas_see_one_order(somebody: Somebody, room: str) -> None:
    """Twenty senders at each replica, a reader at each: the same dense sequence everywhere."""
    ways = list((await replicas(somebody, room)).values())
    await send(somebody, room, "first")
    readers = [asyncio.create_task(watched(somebody, room, 41, way)) for way in ways]
    await asyncio.gather(*(send(somebody, room, f"{way} {n}", affinity=way) for n in range(20) for way in ways))
    one, other = await asyncio.gather(*readers)
    assert [message.sequence for message in one] == list(range(1, 42))
    assert [(m.sequence, m.text) for m in one] == [(m.sequence, m.text) for m in other]


async def test_a_message_sent_again_to_the_other_replica_is_one_message(somebody: Somebody, room: str) -> None:
    ways = list((await replicas(somebody, room)).values())
    message_id = uuid.uuid4().hex
    sent = [await send(somebody, room, "once", message_id, affinity=way) for way in ways * 2]
    assert {message.sequence for message in sent} == {1}
    history = await somebody.chat.ListMessages(ListMessagesRequest(room=room), metadata=somebody.metadata, timeout=10)
    assert [message.text for message in history.messages] == ["once"]


async def test_history_comes_in_pages_without_gap_or_overlap(somebody: Somebody, room: str) -> None:
    for number in range(12):
        await send(somebody, room, str(number))
    texts: list[str] = []
    request = ListMessagesRequest(room=room, page_size=5)
    while True:
        page = await somebody.chat.ListMessages(request, metadata=somebody.metadata, timeout=10)
        texts += [message.text for message in page.messages]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert texts == [str(number) for number in range(12)]


async def test_a_watch_resumes_after_the_last_sequence_seen(somebody: Somebody, room: str) -> None:
    for number in range(6):
        await send(somebody, room, str(number))
    assert [message.sequence for message in await watched(somebody, room, 2, room, after=4)] == [5, 6]


async def test_a_deleted_user_cannot_post(somebody: Somebody, room: str) -> None:
    await send(somebody, room, "still here")
    await somebody.users.DeleteUser(DeleteUserRequest(id=somebody.id), metadata=somebody.metadata, timeout=10)
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await send(somebody, room, "gone")
    assert failure.value.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_a_stream_ends_with_its_callers_token_and_goes_on_with_another(
    mesh: Mesh, somebody: Somebody, room: str
) -> None:
    """No proxy looks at a token again once the stream is open: chat does."""
    await send(somebody, room, "before")
    seen: list[Message] = []
    for seconds in (2, 8, 32):  # long enough to read something before
        expiring = mesh.token(somebody.id, exp=int(time.time()) + seconds)
        request = WatchRoomRequest(room=room, resume_after=0)
        call = somebody.chat.WatchRoom(request, metadata=bearer(expiring), timeout=60)
        with pytest.raises(grpc.aio.AioRpcError) as end:
            async for response in call:
                seen += response.messages
        assert end.value.code() is grpc.StatusCode.UNAUTHENTICATED
        if seen:
            break
    assert [message.text for message in seen] == ["before"]
    assert "go on after '1'" in (end.value.details() or "")
    await send(somebody, room, "after")
    assert [message.text for message in await watched(somebody, room, 1, room, after=1)] == ["after"]


async def test_a_stream_that_never_sends_harms_nobody(somebody: Somebody, room: str) -> None:
    """A Chat opened in silence stores nothing, and others go on."""

    async def silence() -> AsyncIterator[ChatRequest]:
        await asyncio.Event().wait()
        yield ChatRequest()

    call = somebody.chat.Chat(silence(), metadata=somebody.metadata, timeout=2)
    assert (await send(somebody, room, "meanwhile")).sequence == 1
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await anext(aiter(call))
    assert failure.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
