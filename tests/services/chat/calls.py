"""How tests look at calls: what was delivered, and how a call failed."""

import uuid
from typing import Any

import grpc.aio
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from protos.chat.v1 import chat_pb2


def new_room() -> str:
    """A room that no other test uses."""
    return f"room.{uuid.uuid4().hex[:12]}"


async def failure(awaitable: Any) -> grpc.aio.AioRpcError:
    """How the call failed."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await awaitable
    return caught.value


def info_of(error: grpc.aio.AioRpcError) -> error_details_pb2.ErrorInfo:
    """Its ErrorInfo; every error of ours has one."""
    found: error_details_pb2.ErrorInfo = detail_of(error, error_details_pb2.ErrorInfo)
    assert found.domain == "chat.v1"
    return found


def detail_of(error: grpc.aio.AioRpcError, kind: Any) -> Any:
    """The detail of this kind."""
    status = rpc_status.from_call(error)
    assert status is not None, f"an error without details: {error!r}"
    detail = kind()
    assert any(one.Unpack(detail) for one in status.details), f"no {kind.__name__} in {status}"
    return detail


async def watched(call: Any, until: int) -> list[chat_pb2.Message]:
    """What a WatchRoom delivers, up to the sequence `until`."""
    messages: list[chat_pb2.Message] = []
    while not messages or messages[-1].sequence < until:
        response = await call.read()
        assert response is not grpc.aio.EOF, "the stream ended"
        messages.extend(response.messages)
    return messages


async def cut_off(call: Any) -> tuple[grpc.aio.AioRpcError, list[int]]:
    """What a WatchRoom still delivers until it fails: the failure, and the sequences."""
    sequences: list[int] = []
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        while (response := await call.read()) is not grpc.aio.EOF:
            sequences += [message.sequence for message in response.messages]
    return caught.value, sequences
