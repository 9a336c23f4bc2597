"""What the outside meets at the gateway."""

import time
import uuid
from typing import Any

import grpc
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status

from protos.chat.v1.chat_pb2 import ListMessagesRequest, SendMessageRequest
from protos.user.v1.user_pb2 import CreateUserRequest, GetUserRequest, ListUsersRequest
from protos.user.v1.user_pb2_grpc import UserServiceStub
from tests.kit import eventually
from tests.mesh.backend import Mesh
from tests.mesh.conftest import Somebody, bearer, header

NOBODY = "00000000-0000-7000-8000-000000000000"


async def failure(call: Any) -> grpc.aio.AioRpcError:
    """The error that a call ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


def reason(error: grpc.aio.AioRpcError) -> str:
    """The ErrorInfo reason in the details."""
    status = rpc_status.from_call(error)
    info = error_details_pb2.ErrorInfo()
    return next((info.reason for detail in status.details if detail.Unpack(info)), "") if status else ""


async def test_reflection_lists_both_services_without_a_token(channel: grpc.aio.Channel) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    answers = [answer async for answer in stub.ServerReflectionInfo(iter([request]), timeout=10)]
    names = {service.name for service in answers[0].list_services_response.service}
    assert {"user.v1.UserService", "chat.v1.ChatService"} <= names


@pytest.mark.parametrize(
    ("service", "metadata"), [("chat.v1.ChatService", ()), ("user.v1.UserService", (("x-service", "user"),))]
)
async def test_health_is_told_without_a_token(channel: grpc.aio.Channel, service: str, metadata: Any) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(service=service), metadata=metadata, timeout=10)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_no_token_is_unauthenticated_with_details(channel: grpc.aio.Channel) -> None:
    error = await failure(UserServiceStub(channel).GetUser(GetUserRequest(id=NOBODY), timeout=10))
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert reason(error)


@pytest.mark.parametrize(
    "claims",
    [{"exp": 1_000_000_000}, {"iss": "https://elsewhere.example"}, {"aud": "another"}],
    ids=["expired", "another issuer", "another audience"],
)
async def test_a_token_that_does_not_hold_is_refused(mesh: Mesh, channel: grpc.aio.Channel, claims: Any) -> None:
    metadata = bearer(mesh.token("operator", **claims))
    error = await failure(UserServiceStub(channel).GetUser(GetUserRequest(id=NOBODY), metadata=metadata, timeout=10))
    assert error.code() in {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED}
    assert error.details()


async def test_a_token_signed_by_another_key_is_refused(channel: grpc.aio.Channel) -> None:
    claims = {"iss": "https://localmesh.dev/issuer", "aud": "mesh", "sub": "operator", "exp": int(time.time()) + 60}
    forged = jwt.encode(claims, ec.generate_private_key(ec.SECP256R1()), algorithm="ES256")
    error = await failure(
        UserServiceStub(channel).GetUser(GetUserRequest(id=NOBODY), metadata=bearer(forged), timeout=10)
    )
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_garbage_as_a_token_is_refused(channel: grpc.aio.Channel) -> None:
    error = await failure(
        UserServiceStub(channel).GetUser(GetUserRequest(id=NOBODY), metadata=bearer("garbage"), timeout=10)
    )
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_path_that_no_policy_names_is_denied(mesh: Mesh, channel: grpc.aio.Channel) -> None:
    secret = channel.unary_unary("/secret.v1.Admin/Do", request_serializer=bytes, response_deserializer=bytes)
    error = await failure(secret(b"", metadata=bearer(mesh.token("operator")), timeout=10))
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_an_oversized_message_is_refused_and_nothing_is_stored(somebody: Somebody) -> None:
    name = "x" * (5 * 1024 * 1024)
    request = CreateUserRequest(name=name, email="big@example.com")
    error = await failure(somebody.users.CreateUser(request, metadata=somebody.metadata, timeout=20))
    assert error.code() in {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INVALID_ARGUMENT}
    listed = somebody.users.ListUsers(ListUsersRequest(email="big@example.com"), metadata=somebody.metadata, timeout=20)
    assert [user async for user in listed] == []


async def test_oversized_metadata_is_refused(somebody: Somebody) -> None:
    metadata = (*somebody.metadata, ("x-big", "y" * 200_000))
    error = await failure(somebody.users.GetUser(GetUserRequest(id=NOBODY), metadata=metadata, timeout=10))
    assert error.code() is not grpc.StatusCode.OK
    assert (await somebody.users.GetUser(GetUserRequest(id=somebody.id), metadata=somebody.metadata, timeout=10)).id


@pytest.mark.parametrize("why", ["no token", "garbage", "expired", "oversized metadata", "no message"])
async def test_a_write_that_is_refused_stores_nothing(
    mesh: Mesh, channel: grpc.aio.Channel, somebody: Somebody, why: str
) -> None:
    """And says so by its status, whoever refuses it: the gateway, a sidecar or the service."""
    email = f"{uuid.uuid4().hex}@example.com"
    metadata = {
        "no token": (),
        "garbage": bearer("garbage"),
        "expired": bearer(mesh.token("operator", exp=1_000_000_000)),
        "oversized metadata": (*somebody.metadata, ("x-big", "y" * 20_000)),
    }.get(why, somebody.metadata)
    request = CreateUserRequest(name="nobody", email=email).SerializeToString()
    create = channel.unary_unary(
        "/user.v1.UserService/CreateUser", request_serializer=bytes, response_deserializer=bytes
    )
    error = await failure(create(request + b"\xff" if why == "no message" else request, metadata=metadata, timeout=10))
    expected = {"oversized metadata": "RESOURCE_EXHAUSTED", "no message": "INVALID_ARGUMENT"}
    assert error.code().name == expected.get(why, "UNAUTHENTICATED")
    assert error.details()
    listed = somebody.users.ListUsers(ListUsersRequest(email=email), metadata=somebody.metadata, timeout=20)
    assert [user async for user in listed] == []


async def test_a_negative_page_size_names_its_field(somebody: Somebody) -> None:
    request = ListMessagesRequest(room="lobby", page_size=-1)
    error = await failure(somebody.chat.ListMessages(request, metadata=somebody.metadata, timeout=10))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    status = rpc_status.from_call(error)
    bad = error_details_pb2.BadRequest()
    fields = [violation.field for detail in status.details if detail.Unpack(bad) for violation in bad.field_violations]
    assert fields == ["page_size"]


async def test_an_unknown_room_is_not_found_with_its_name(somebody: Somebody) -> None:
    error = await failure(
        somebody.chat.ListMessages(ListMessagesRequest(room="nowhere"), metadata=somebody.metadata, timeout=10)
    )
    assert error.code() is grpc.StatusCode.NOT_FOUND
    status = rpc_status.from_call(error)
    resource = error_details_pb2.ResourceInfo()
    assert "nowhere" in [resource.resource_name for detail in status.details if detail.Unpack(resource)]


async def test_who_is_no_user_cannot_post(mesh: Mesh, somebody: Somebody) -> None:
    metadata = bearer(mesh.token(NOBODY))
    request = SendMessageRequest(room="lobby", text="boo")
    error = await failure(somebody.chat.SendMessage(request, metadata=metadata, timeout=10))
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_the_peer_that_user_sees_is_the_gateway_by_its_certificate(mesh: Mesh, somebody: Somebody) -> None:
    """The access of the call stands in the log of the replica that answered, with the SPIFFE id of its client."""
    call = somebody.users.GetUser(GetUserRequest(id=somebody.id), metadata=somebody.metadata, timeout=10)
    pod = header(await call.trailing_metadata(), "x-pod")
    await call
    peer = "spiffe://cluster.local/ns/mesh/sa/gateway"
    await eventually(lambda: peer in mesh.logs(f"mesh/{pod}"), what=f"{peer} in the log of {pod}")
