"""A message's way as spans: from its sender's call through the commit and the broker to each delivery."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from protos.chat.v1 import chat_pb2
from services.chat import spans
from services.common.settings import DatabaseSettings
from tests.kit import Limit, eventually
from tests.services.chat.calls import new_room, watched
from tests.services.chat.nats import Nats
from tests.services.chat.replicas import Directory, Person, Replica, replica
from tests.services.recorded import Recorded, id_of, links_of, parent_of

SAMPLED = ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
UNSAMPLED = ("traceparent", "00-0af7651916cd43dd8448eb211c80319d-b7ad6b7169203331-00")
CHAT = "chat.v1.ChatService"


@asynccontextmanager
async def two_replicas(
    database: DatabaseSettings, nats: Nats, users: Directory
) -> AsyncIterator[tuple[Recorded, list[Replica]]]:
    """Two replicas whose spans are kept together, so that a test sees whole traces."""
    recorded = Recorded()
    with (
        tempfile.TemporaryDirectory(prefix="s", dir="/tmp") as one,
        tempfile.TemporaryDirectory(prefix="s", dir="/tmp") as two,
    ):
        async with (
            replica(Path(one), database=database, nats=nats, users=users, telemetry=recorded.telemetry) as first,
            replica(Path(two), database=database, nats=nats, users=users, telemetry=recorded.telemetry) as second,
        ):
            yield recorded, [first, second]


async def send(one: Replica, person: Person, room: str, text: str, trace: tuple[str, str] = SAMPLED) -> Any:
    """A sent message, in this trace."""
    request = chat_pb2.SendMessageRequest(room=room, text=text)
    return await one.stub.SendMessage(request, metadata=(*person.metadata, trace))


async def watching(one: Replica, person: Person, room: str, trace: tuple[str, str] = SAMPLED) -> Any:
    """A WatchRoom that is live."""
    call = one.stub.WatchRoom(chat_pb2.WatchRoomRequest(room=room), metadata=(*person.metadata, trace))
    await call.read()
    return call


def only(found: list[ReadableSpan]) -> ReadableSpan:
    """The only one."""
    (span,) = found
    return span


async def test_a_sent_message_is_one_tree_and_each_delivery_links_to_it(
    chat_database: DatabaseSettings, nats: Nats, users: Directory, ada: Person
) -> None:
    """Call > wait > commit > statement, and wait > publish; the deliveries, also at the other replica, are in the
    readers' traces."""
    room = new_room()
    async with two_replicas(chat_database, nats, users) as (recorded, (here, there)):
        await send(here, ada, room, "the room is made", UNSAMPLED)
        readers = [await watching(here, ada, room), await watching(there, ada, room)]

        async def follows() -> bool:
            await send(here, ada, room, "warm", UNSAMPLED)
            return bool((await asyncio.wait_for(readers[1].read(), 1)).messages)

        await eventually(follows, within=Limit.STARTED, what="the other replica follows the room")
        sent = await send(here, ada, room, "hello")
        for reader in readers:
            await watched(reader, until=sent.sequence)
        await eventually(lambda: len(recorded.named("deliver chat.room")) == 2, what="both deliveries have ended")
        await eventually(lambda: recorded.named(f"{CHAT}/SendMessage"), what="the call has ended")
        for reader in readers:
            reader.cancel()
        await eventually(lambda: len(recorded.named(f"{CHAT}/WatchRoom")) == 2, what="the streams have ended")
    call, wait, commit, publish = (
        only(recorded.named(name))
        for name in (f"{CHAT}/SendMessage", "store a message", "commit messages", "publish chat.room")
    )
    statement = only([one for one in recorded.named("INSERT messages") if parent_of(one) == id_of(commit)])
    assert (parent_of(wait), parent_of(commit), parent_of(publish)) == (id_of(call), id_of(wait), id_of(wait))
    assert parent_of(only(recorded.named("user.v1.UserService/GetUser"))) == id_of(call)
    deliveries, streams = recorded.named("deliver chat.room"), recorded.named(f"{CHAT}/WatchRoom")
    assert {parent_of(one) for one in deliveries} == {id_of(one) for one in streams}
    assert all(links_of(one) == {id_of(wait)} for one in deliveries)
    assert dict(statement.attributes or {}) == {
        "db.system.name": "postgresql",
        "db.operation.name": "INSERT",
        "db.query.summary": "INSERT messages",
    }
    assert dict(publish.attributes or {}) == {
        "messaging.system": "nats",
        "messaging.operation.name": "publish",
        "messaging.operation.type": "send",
        "messaging.destination.template": "chat.room.{room}",
    }
    assert room not in "".join(span.to_json() for span in recorded.spans)


async def test_a_message_of_a_chat_stream_is_linked_too(
    chat_database: DatabaseSettings, nats: Nats, users: Directory, ada: Person
) -> None:
    """Each post of a stream has its own wait under the stream's span, and each delivery links to its post."""
    async with two_replicas(chat_database, nats, users) as (recorded, (here, _)):
        call: Any = here.stub.Chat(metadata=(*ada.metadata, SAMPLED))
        for text in ("one", "two"):
            await call.write(chat_pb2.ChatRequest(room=new_room() if text == "one" else "", text=text))
            await call.read()
        await call.done_writing()
        await eventually(lambda: recorded.named(f"{CHAT}/Chat"), what="the stream has ended")
    stream, waits = only(recorded.named(f"{CHAT}/Chat")), recorded.named("store a message")
    deliveries = recorded.named("deliver chat.room")
    assert [parent_of(one) for one in (*waits, *deliveries)] == [id_of(stream)] * 4
    assert [links_of(one) for one in deliveries] == [{id_of(wait)} for wait in waits]
    assert stream.attributes is not None
    assert (stream.attributes["grpc.messages.received"], stream.attributes["grpc.messages.sent"]) == (2, 2)


async def test_of_one_message_only_the_first_deliveries_are_told(
    chat_database: DatabaseSettings, nats: Nats, users: Directory, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many readers the room has; all of them get the message."""
    monkeypatch.setattr(spans, "DELIVERIES", 3)
    room = new_room()
    async with two_replicas(chat_database, nats, users) as (recorded, (here, _)):
        await send(here, ada, room, "the room is made", UNSAMPLED)
        readers = [await watching(here, ada, room) for _ in range(8)]
        sent = await send(here, ada, room, "hello")
        for reader in readers:
            await watched(reader, until=sent.sequence)
            reader.cancel()
        await eventually(lambda: len(recorded.named(f"{CHAT}/WatchRoom")) == 8, what="the streams have ended")
    assert len(recorded.named("deliver chat.room")) == 3


async def test_a_call_that_is_not_traced_makes_no_span_anywhere(
    chat_database: DatabaseSettings, nats: Nats, users: Directory, ada: Person
) -> None:
    """Its reader is traced, and yet there is nothing to link to; what the service does by itself makes none either."""
    room = new_room()
    async with two_replicas(chat_database, nats, users) as (recorded, (here, _)):
        await send(here, ada, room, "the room is made", UNSAMPLED)
        reader = await watching(here, ada, room)
        sent = await send(here, ada, room, "hello", UNSAMPLED)
        await watched(reader, until=sent.sequence)
        reader.cancel()
        await eventually(lambda: recorded.named(f"{CHAT}/WatchRoom"), what="the stream has ended")
    assert {span.name for span in recorded.spans} == {f"{CHAT}/WatchRoom", "SELECT rooms"}
