"""A failed call reads as one or two lines that say what to mend."""

import grpc
import pytest

from clients import failure
from clients.channel import UNARY_SECONDS, Gateway, connect
from protos.user.v1.user_pb2 import CreateUserRequest, GetUserRequest
from tests.clients.peers import Error, MemoryUsers, serving


async def failed(gateway: Gateway, request: CreateUserRequest) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.users.CreateUser(request, metadata=gateway.metadata(), timeout=UNARY_SECONDS)
    return caught.value


async def test_a_refusal_names_its_reason_and_each_field() -> None:
    async with serving() as gateway:
        error = await failed(gateway, CreateUserRequest(name="A", email="nothing"))
    shown = failure.of_call(error, "here")
    assert str(shown) == "INVALID_ARGUMENT INVALID_REQUEST: bad\n  email: must be a valid email address"
    assert shown.exit_code == failure.REFUSED


async def test_nobody_there_says_what_to_try() -> None:
    async with connect("127.0.0.1:1", lambda: "") as gateway:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await gateway.users.GetUser(GetUserRequest(id="1"), timeout=UNARY_SECONDS)
    shown = failure.of_call(caught.value, "127.0.0.1:1")
    assert "make up" in str(shown)
    assert "127.0.0.1:1" in str(shown)
    assert len(str(shown).splitlines()) == 2
    assert shown.exit_code == failure.UNREACHABLE


async def test_details_that_do_not_parse_do_not_hide_the_error() -> None:
    broken = grpc.aio.AioRpcError(
        grpc.StatusCode.INTERNAL,
        grpc.aio.Metadata(),
        grpc.aio.Metadata(("grpc-status-details-bin", b"\xff\xff")),
        "boom",
    )
    assert failure.described(broken) == "INTERNAL: boom"


async def test_each_call_carries_the_token_and_the_room() -> None:
    service = MemoryUsers()
    async with serving(users=service) as gateway:
        await gateway.users.CreateUser(CreateUserRequest(name="A", email="a@b.c"), metadata=gateway.metadata())
        assert gateway.metadata("lobby") == (("authorization", "Bearer a-token"), ("x-room", "lobby"))
    assert service.tokens == ["Bearer a-token"]


async def test_a_stores_absence_may_pass() -> None:
    service = MemoryUsers()
    service.refuse = Error(grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE", "the database is away")
    async with serving(users=service) as gateway:
        error = await failed(gateway, CreateUserRequest(name="A", email="a@b.c"))
    shown = failure.of_call(error, "here")
    assert str(shown) == "UNAVAILABLE STORE_UNAVAILABLE: the database is away"
    assert shown.exit_code == failure.UNREACHABLE
