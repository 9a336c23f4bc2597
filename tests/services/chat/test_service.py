"""Chat as a client sees it: unary calls and streams over two replicas."""

import asyncio
import uuid
from typing import Any

import grpc.aio
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from protos.chat.v1 import chat_pb2
from tests.kit import Limit, eventually
from tests.services.chat.replicas import Directory, Person, Replica


def new_room() -> str:
    """A room that no other test uses."""
    return f"room.{uuid.uuid4().hex[:12]}"


async def failure(awaitable: Any) -> tuple[grpc.StatusCode, error_details_pb2.ErrorInfo]:
    """How the call failed: its code and its ErrorInfo."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await awaitable
    return caught.value.code(), info_of(caught.value)


def info_of(error: grpc.aio.AioRpcError) -> error_details_pb2.ErrorInfo:
    info = error_details_pb2.ErrorInfo()
    status = rpc_status.from_call(error)
    assert status is not None, f"no details: {error}"
    assert any(detail.Unpack(info) for detail in status.details)
    return info


async def test_a_sent_message_comes_back_with_its_sequence(replicas: list[Replica], ada: Person) -> None:
    room = new_room()
    first = await replicas[0].send(ada, room, "one")
    second = await replicas[1].send(ada, room, "two")
    assert (first.sequence, second.sequence) == (1, 2)
    assert (first.sender_id, first.sender_name, first.text) == (ada.id, "Ada", "one")
    assert first.message_id
    assert first.create_time.ToMicroseconds() <= second.create_time.ToMicroseconds()


async def test_a_repeat_at_another_replica_is_the_same_message(replicas: list[Replica], ada: Person) -> None:
    room = new_room()
    first = await replicas[0].send(ada, room, "hello", "id-1")
    again = await replicas[1].send(ada, room, "hello", "id-1")
    assert again == first
    code, info = await failure(replicas[1].send(ada, room, "other", "id-1"))
    assert (code, info.reason, info.domain) == (grpc.StatusCode.INVALID_ARGUMENT, "MESSAGE_ID_REUSED", "chat.v1")
    page = await replicas[0].stub.ListMessages(chat_pb2.ListMessagesRequest(room=room), metadata=ada.metadata)
    assert [message.text for message in page.messages] == ["hello"]
