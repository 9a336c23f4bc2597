"""SendMessage and ListMessages as a client sees them."""

import asyncio
import uuid
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2

from protos.chat.v1 import chat_pb2
from tests.services.chat.calls import detail_of, failure, info_of, new_room
from tests.services.chat.replicas import Directory, Person, Replica


def page(replica: Replica, person: Person, room: str, **fields: Any) -> Any:
    """The call ListMessages."""
    return replica.stub.ListMessages(chat_pb2.ListMessagesRequest(room=room, **fields), metadata=person.metadata)


async def pages(replica: Replica, person: Person, room: str, **fields: Any) -> list[list[int]]:
    """The sequences of all pages."""
    found: list[list[int]] = []
    token = ""
    while not found or token:
        response = await page(replica, person, room, page_token=token, **fields)
        found.append([message.sequence for message in response.messages])
        token = response.next_page_token
    return found


async def test_a_sent_message_comes_back_with_its_sequence(replicas: list[Replica], ada: Person) -> None:
    room = new_room()
    first = await replicas[0].send(ada, room, "one")
    second = await replicas[1].send(ada, room, "two")
    assert (first.room, first.sequence, second.sequence) == (room, 1, 2)
    assert (first.sender_id, first.sender_name, first.text) == (ada.id, "Ada", "one")
    assert first.message_id
    assert first.create_time.ToMicroseconds() <= second.create_time.ToMicroseconds()


async def test_a_repeat_at_another_replica_is_the_same_message(replicas: list[Replica], ada: Person) -> None:
    room = new_room()
    first = await replicas[0].send(ada, room, "hello", "id-1")
    assert await replicas[1].send(ada, room, "hello", "id-1") == first
    assert await pages(replicas[0], ada, room) == [[1]]


async def test_a_used_message_id_with_another_text_is_refused(replicas: list[Replica], ada: Person) -> None:
    room = new_room()
    await replicas[0].send(ada, room, "hello", "id-1")
    error = await failure(replicas[1].send(ada, room, "other", "id-1"))
    assert (error.code(), info_of(error).reason) == (grpc.StatusCode.INVALID_ARGUMENT, "MESSAGE_ID_REUSED")


async def test_many_senders_at_two_replicas_get_one_dense_sequence(
    replicas: list[Replica], ada: Person, bob: Person
) -> None:
    room = new_room()
    sends = [replicas[number % 2].send(ada if number % 3 else bob, room, f"{number}") for number in range(200)]
    sent = await asyncio.gather(*sends)
    assert sorted(message.sequence for message in sent) == list(range(1, 201))
    assert await pages(replicas[0], ada, room, page_size=1000) == [list(range(1, 201))]


async def test_the_same_message_sent_to_both_replicas_at_once_is_one(replicas: list[Replica], ada: Person) -> None:
    room = new_room()
    for number in range(20):
        sent = await asyncio.gather(*(one.send(ada, room, "x", f"id-{number}") for one in replicas * 2))
        assert {message.sequence for message in sent} == {number + 1}


async def test_pages_have_every_message_once_in_either_order(replicas: list[Replica], ada: Person) -> None:
    room = new_room()
    await asyncio.gather(*(replicas[0].send(ada, room, f"{number}") for number in range(7)))
    assert await pages(replicas[1], ada, room, page_size=3) == [[1, 2, 3], [4, 5, 6], [7]]
    assert await pages(replicas[1], ada, room, page_size=3, newest_first=True) == [[7, 6, 5], [4, 3, 2], [1]]
    assert await pages(replicas[1], ada, room, page_size=7) == [[1, 2, 3, 4, 5, 6, 7]]


async def test_a_page_too_large_for_a_response_ends_early_and_goes_on(replicas: list[Replica], ada: Person) -> None:
    room = new_room()
    await asyncio.gather(*(replicas[0].send(ada, room, "€" * 4000) for _ in range(120)))
    found = await pages(replicas[1], ada, room, page_size=1000)
    assert len(found) > 1
    assert [sequence for one in found for sequence in one] == list(range(1, 121))


async def test_a_page_token_of_another_question_is_refused(replicas: list[Replica], ada: Person) -> None:
    room, other = new_room(), new_room()
    await asyncio.gather(*(replicas[0].send(ada, where, f"{n}") for n in range(3) for where in (room, other)))
    token = (await page(replicas[0], ada, room, page_size=1)).next_page_token
    for wrong in (
        page(replicas[0], ada, other, page_token=token),
        page(replicas[0], ada, room, page_token=token, newest_first=True),
        page(replicas[0], ada, room, page_token=token[:-1] + ("A" if token[-1] != "A" else "B")),
        page(replicas[0], ada, room, page_token="nonsense"),
    ):
        error = await failure(wrong)
        assert (error.code(), info_of(error).reason) == (grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID")
        assert detail_of(error, error_details_pb2.BadRequest).field_violations[0].field == "page_token"


async def test_a_room_that_nobody_joined_is_not_found(replicas: list[Replica], ada: Person) -> None:
    room = new_room()
    for call in (page(replicas[0], ada, room), replicas[0].watch(ada, room).read()):
        error = await failure(call)
        assert (error.code(), info_of(error).reason) == (grpc.StatusCode.NOT_FOUND, "ROOM_NOT_FOUND")
        resource = detail_of(error, error_details_pb2.ResourceInfo)
        assert (resource.resource_type, resource.resource_name) == ("chat.v1.Room", room)
    assert (await page(replicas[0], ada, "lobby")).messages is not None


@pytest.mark.parametrize(
    "wrong",
    [
        chat_pb2.SendMessageRequest(room="r", text=""),
        chat_pb2.SendMessageRequest(room="", text="x"),
        chat_pb2.SendMessageRequest(room="no spaces", text="x"),
        chat_pb2.SendMessageRequest(room="r", text="x" * 4001),
        chat_pb2.SendMessageRequest(room="r", text="nul \0"),
        chat_pb2.SendMessageRequest(room="r", text="x", message_id="\0"),
    ],
)
async def test_a_wrong_message_is_refused_by_field(
    replicas: list[Replica], ada: Person, wrong: chat_pb2.SendMessageRequest
) -> None:
    error = await failure(replicas[0].stub.SendMessage(wrong, metadata=ada.metadata))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert detail_of(error, error_details_pb2.BadRequest).field_violations


async def test_a_negative_page_size_is_refused(replicas: list[Replica], ada: Person) -> None:
    error = await failure(page(replicas[0], ada, "lobby", page_size=-1))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_who_is_not_a_user_cannot_post(replicas: list[Replica], users: Directory) -> None:
    for subject in (str(uuid.uuid4()), "not-even-an-id"):
        stranger = Person(subject, "Nobody", users.issuer.bearer(subject))
        error = await failure(replicas[0].send(stranger, "lobby", "hello"))
        assert (error.code(), info_of(error).reason) == (grpc.StatusCode.PERMISSION_DENIED, "SENDER_UNKNOWN")


async def test_a_deleted_user_cannot_post_any_more(replicas: list[Replica], users: Directory) -> None:
    eve, room = await users.person("Eve"), new_room()
    await replicas[0].send(eve, room, "hello")
    await users.delete(eve)
    for one in replicas:
        error = await failure(one.send(eve, room, "and again"))
        assert (error.code(), info_of(error).reason) == (grpc.StatusCode.PERMISSION_DENIED, "SENDER_UNKNOWN")


async def test_a_call_without_a_token_is_refused(replicas: list[Replica]) -> None:
    stranger = Person("", "", ())
    error = await failure(replicas[0].send(stranger, "lobby", "hello"))
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
