"""Chat and WatchRoom as a client sees them."""

import asyncio
import time
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from prometheus_client import CollectorRegistry

from protos.chat.v1 import chat_pb2
from services.chat import metrics
from services.chat.conversations import Patience
from services.common.settings import DatabaseSettings
from tests.kit import eventually
from tests.services.chat.calls import cut_off, failure, info_of, new_room, watched
from tests.services.chat.nats import Nats
from tests.services.chat.replicas import Directory, Person, Replica, replica

HEARTBEAT = chat_pb2.ChatResponse.KIND_HEARTBEAT


def chat(replica: Replica, person: Person) -> Any:
    """The call Chat."""
    return replica.stub.Chat(metadata=person.metadata)


async def join(replica: Replica, person: Person, room: str, **fields: Any) -> Any:
    """A Chat that has joined the room: its first heartbeat has come."""
    call = chat(replica, person)
    await call.write(chat_pb2.ChatRequest(room=room, heartbeats=True, **fields))
    assert (await call.read()).kind == HEARTBEAT
    return call


async def test_a_write_of_only_a_text_joins_the_lobby_and_posts(replicas: list[Replica], ada: Person) -> None:
    call = chat(replicas[0], ada)
    await call.write(chat_pb2.ChatRequest(text="Hello"))
    response = await call.read()
    assert (response.text, response.room, response.sender_id) == ("Hello", "lobby", ada.id)
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK


async def test_two_people_at_two_replicas_read_the_same_in_the_same_order(
    replicas: list[Replica], ada: Person, bob: Person
) -> None:
    room = new_room()
    calls = [await join(replicas[0], ada, room), await join(replicas[1], bob, room)]
    for number in range(20):
        for call in calls:
            await call.write(chat_pb2.ChatRequest(text=f"{number}"))
    received = [[await call.read() for _ in range(40)] for call in calls]
    assert [one.sequence for one in received[0]] == list(range(1, 41))
    assert received[0] == received[1]
    for person in (ada, bob):
        own = [one.text for one in received[0] if one.sender_id == person.id]
        assert own == [f"{number}" for number in range(20)]  # in the order in which they were sent
    for call in calls:
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF


async def test_after_the_end_of_sending_all_own_posts_are_delivered(replicas: list[Replica], ada: Person) -> None:
    room = new_room()
    call = chat(replicas[0], ada)
    for number in range(50):
        await call.write(chat_pb2.ChatRequest(room=room, text=f"{number}", message_id=f"id-{number}"))
    await call.done_writing()
    acknowledged = []
    while (response := await call.read()) is not grpc.aio.EOF:
        acknowledged.append(response.message_id)
    assert acknowledged == [f"id-{number}" for number in range(50)]
    assert await call.code() is grpc.StatusCode.OK


async def test_a_repeat_of_an_earlier_post_is_acknowledged_although_it_is_not_new(
    replicas: list[Replica], ada: Person
) -> None:
    room = new_room()
    first = await replicas[0].send(ada, room, "hello", "id-1")
    call = chat(replicas[1], ada)
    await call.write(chat_pb2.ChatRequest(room=room, text="hello", message_id="id-1"))
    response = await call.read()
    assert (response.message_id, response.sequence) == ("id-1", first.sequence)
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF


async def test_history_comes_before_what_is_live(replicas: list[Replica], ada: Person) -> None:
    room = new_room()
    await asyncio.gather(*(replicas[0].send(ada, room, f"{number}") for number in range(5)))
    call = chat(replicas[1], ada)
    await call.write(chat_pb2.ChatRequest(room=room, resume_after=2))
    await replicas[0].send(ada, room, "live")
    assert [(await call.read()).sequence for _ in range(4)] == [3, 4, 5, 6]
    call.cancel()


async def test_the_first_heartbeat_says_where_the_stream_begins(replicas: list[Replica], ada: Person) -> None:
    room = new_room()
    await replicas[0].send(ada, room, "before")
    call = chat(replicas[1], ada)
    await call.write(chat_pb2.ChatRequest(room=room, heartbeats=True))
    first = await call.read()
    assert (first.kind, first.sequence) == (HEARTBEAT, 1)
    await replicas[0].send(ada, room, "after")
    assert (await call.read()).text == "after"
    call.cancel()


async def test_another_room_in_a_later_request_is_refused(replicas: list[Replica], ada: Person) -> None:
    call = await join(replicas[0], ada, new_room())
    await call.write(chat_pb2.ChatRequest(room=new_room(), text="x"))
    error = await failure(call.read())
    assert (error.code(), info_of(error).reason) == (grpc.StatusCode.INVALID_ARGUMENT, "ROOM_CHANGED")


async def test_a_wrong_request_in_the_middle_ends_the_stream(replicas: list[Replica], ada: Person) -> None:
    call = await join(replicas[0], ada, new_room())
    await call.write(chat_pb2.ChatRequest(text="x" * 4001))
    error = await failure(call.read())
    assert (error.code(), info_of(error).reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID")


async def test_a_reused_id_ends_the_stream_and_stores_nothing(replicas: list[Replica], ada: Person) -> None:
    call = await join(replicas[0], ada, new_room())
    await call.write(chat_pb2.ChatRequest(text="one", message_id="id"))
    assert (await call.read()).text == "one"
    await call.write(chat_pb2.ChatRequest(text="two", message_id="id"))
    error = await failure(call.read())
    assert (error.code(), info_of(error).reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MESSAGE_ID_REUSED")


async def test_a_user_deleted_in_the_middle_of_a_conversation_cannot_go_on(
    replicas: list[Replica], users: Directory
) -> None:
    eve, room = await users.person("Eve"), new_room()
    call = await join(replicas[0], eve, room)
    await call.write(chat_pb2.ChatRequest(text="hello"))
    assert (await call.read()).text == "hello"
    await users.delete(eve)
    await call.write(chat_pb2.ChatRequest(text="and again"))
    error = await failure(call.read())
    assert (error.code(), info_of(error).reason) == (grpc.StatusCode.PERMISSION_DENIED, "SENDER_UNKNOWN")
    again = chat(replicas[1], eve)
    await again.write(chat_pb2.ChatRequest(room=room))
    error = await failure(again.read())
    assert info_of(error).reason == "SENDER_UNKNOWN"


@pytest.mark.parametrize("method", ["Chat", "WatchRoom"])
async def test_a_stream_ends_with_the_token_of_its_caller_and_says_where_to_go_on_with_a_new_one(
    replicas: list[Replica], users: Directory, ada: Person, method: str
) -> None:
    """Also if nobody says anything in that room any more."""
    room = new_room()
    await replicas[0].send(ada, room, "one")
    for seconds in (2, 8, 32):  # long enough to read something before
        short = Person(ada.id, ada.name, users.issuer.bearer(ada.id, exp=int(time.time()) + seconds))
        if method == "Chat":
            call = chat(replicas[0], short)
            await call.write(chat_pb2.ChatRequest(room=room, resume_after=0))
        else:
            call = replicas[0].watch(short, room, resume_after=0)
        received: list[str] = []
        with pytest.raises(grpc.aio.AioRpcError) as end:
            async for response in call:
                received += [response.text] if method == "Chat" else [one.text for one in response.messages]
        assert end.value.code() is grpc.StatusCode.UNAUTHENTICATED
        if received:
            break
    assert received == ["one"]
    assert (info_of(end.value).reason, info_of(end.value).metadata["resume_after"]) == ("TOKEN_EXPIRED", "1")


async def test_a_stream_without_any_request_ends_well(replicas: list[Replica], ada: Person) -> None:
    call = chat(replicas[0], ada)
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK


async def test_watching_delivers_history_and_what_comes_from_both_replicas(
    replicas: list[Replica], ada: Person
) -> None:
    room = new_room()
    await asyncio.gather(*(replicas[0].send(ada, room, f"{number}") for number in range(300)))
    call = replicas[1].watch(ada, room, resume_after=0)
    assert [one.sequence for one in await watched(call, until=300)] == list(range(1, 301))
    await asyncio.gather(*(replicas[number % 2].send(ada, room, "live") for number in range(100)))
    assert [one.sequence for one in await watched(call, until=400)] == list(range(301, 401))
    call.cancel()


async def test_watching_from_now_on_begins_at_the_first_response(replicas: list[Replica], ada: Person) -> None:
    room = new_room()
    await replicas[0].send(ada, room, "before")
    call = replicas[1].watch(ada, room)
    assert not (await call.read()).messages
    await replicas[0].send(ada, room, "after")
    assert [one.text for one in await watched(call, until=2)] == ["after"]
    call.cancel()


@pytest.fixture
def impatient(sockets: Path, chat_database: DatabaseSettings, nats: Nats, users: Directory) -> Any:
    """Makes a replica whose streams are short of time."""

    def make(name: str, **options: Any) -> Any:
        (sockets / name).mkdir()
        return replica(sockets / name, database=chat_database, nats=nats, users=users, **options)

    return make


async def test_silent_streams_get_heartbeats(impatient: Any, ada: Person) -> None:
    async with impatient("beat", patience=Patience(heartbeat=0.1)) as one:
        room = new_room()
        call = await join(one, ada, room)
        watch = one.watch(ada, room)
        for _ in range(3):
            assert (await call.read()).kind == HEARTBEAT
            assert not (await watch.read()).messages
        await one.send(ada, room, "x")
        while (response := await call.read()).kind == HEARTBEAT:
            pass
        assert response.sequence == 1
        beat = await call.read()
        assert (beat.kind, beat.sequence) == (HEARTBEAT, 1)
        quiet = chat(one, ada)
        await quiet.write(chat_pb2.ChatRequest(room=room, resume_after=0))
        assert (await quiet.read()).sequence == 1
        for _ in range(3):  # while others get heartbeats, who did not ask gets none
            await call.read()
        await one.send(ada, room, "y")
        assert (await quiet.read()).sequence == 2


async def test_a_stream_that_never_sends_is_ended(impatient: Any, ada: Person) -> None:
    async with impatient("never", patience=Patience(first_request=0.1)) as one:
        error = await failure(chat(one, ada).read())
        assert (error.code(), info_of(error).reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "NO_REQUEST")


async def test_draining_ends_streams_with_where_to_go_on(impatient: Any, replicas: list[Replica], ada: Person) -> None:
    async with impatient("drain") as one:
        room = new_room()
        talk = await join(one, ada, room)
        watch = one.watch(ada, room, resume_after=0)
        idle = chat(one, ada)
        await asyncio.gather(*(one.send(ada, room, f"{number}") for number in range(10)))
        assert [(await talk.read()).sequence for _ in range(10)] == list(range(1, 11))
        await watched(watch, until=10)
        one.drain.begin()
        for call in (talk, watch):
            error = await failure(call.read())
            info = info_of(error)
            assert (error.code(), info.reason) == (grpc.StatusCode.UNAVAILABLE, "STREAM_DRAINING")
            assert info.metadata["resume_after"] == "10"
        assert info_of(await failure(idle.read())).reason == "STREAM_DRAINING"
        await replicas[0].send(ada, room, "meanwhile")
        resumed = replicas[1].watch(ada, room, resume_after=10)
        assert [one.text for one in await watched(resumed, until=11)] == ["meanwhile"]
        resumed.cancel()


async def test_a_stream_that_is_not_read_still_ends_with_the_right_resume_point(impatient: Any, ada: Person) -> None:
    """Draining comes while a response waits for a client that reads nothing."""
    async with impatient("full") as one:
        room = new_room()
        await one.send(ada, room, "first")
        call = one.watch(ada, room, resume_after=0)
        received = [message.sequence for message in await watched(call, until=1)]
        for _ in range(10):
            await asyncio.gather(*(one.send(ada, room, "€" * 4000) for _ in range(64)))
        one.drain.begin()
        error, rest = await cut_off(call)
        received += rest
        assert received == list(range(1, len(received) + 1))
        assert len(received) < 1 + 10 * 64
        assert info_of(error).metadata["resume_after"] == str(received[-1])


async def test_a_stream_ends_at_its_age(impatient: Any, ada: Person) -> None:
    async with impatient("age", max_age_seconds=0.3) as one:
        room = new_room()
        await one.send(ada, room, "x")
        error, sequences = await cut_off(one.watch(ada, room, resume_after=0))
        info = info_of(error)
        assert (error.code(), info.reason) == (grpc.StatusCode.UNAVAILABLE, "STREAM_MAX_AGE")
        assert sequences == list(range(1, 1 + int(info.metadata["resume_after"])))  # [1], unless it was slow to begin


async def test_clients_that_go_away_leave_nothing_behind(
    replicas: list[Replica], ada: Person, caplog: pytest.LogCaptureFixture
) -> None:
    """No reader, no open room, no task, and no line that speaks of a fault."""
    registry = CollectorRegistry()
    metrics.register(registry)

    def numbers() -> tuple[float | None, float | None]:
        return registry.get_sample_value("chat_readers"), registry.get_sample_value("chat_open_rooms")

    await eventually(lambda: numbers() == (0, 0), what="earlier tests' readers are gone")
    before = len(asyncio.all_tasks())
    calls = []
    for number in range(20):
        room = new_room()
        calls.append(await join(replicas[number % 2], ada, room))
        calls.append(replicas[number % 2].watch(ada, room))
        await calls[-1].read()
        await calls[-2].write(chat_pb2.ChatRequest(text="x"))
    assert numbers() == (40, 20)
    for call in calls:
        call.cancel()
    await eventually(lambda: numbers() == (0, 0), what="all readers and rooms are gone")
    await eventually(lambda: len(asyncio.all_tasks()) <= before, what="all tasks are gone")
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
