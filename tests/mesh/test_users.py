"""The user service through the mesh: three replicas, one truth."""

import asyncio
import uuid
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from protos.user.v1.user_pb2 import (
    BatchGetUsersRequest,
    CreateUserRequest,
    DeleteUserRequest,
    GetUserRequest,
    ListUsersRequest,
    UpdateUserRequest,
    User,
)
from tests.mesh.conftest import Somebody, header

NOBODY = "00000000-0000-7000-8000-000000000000"


async def code(call: Any) -> grpc.StatusCode:
    """How a call that must fail ends."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code()


async def test_a_repeated_create_on_other_replicas_makes_one_user(somebody: Somebody) -> None:
    """Forty at once with one request_id: whichever replica each reaches, one user comes back to all."""
    name = f"once-{uuid.uuid4().hex[:8]}"
    request = CreateUserRequest(name=name, email=f"{name}@example.com", request_id=str(uuid.uuid4()))
    calls = [somebody.users.CreateUser(request, metadata=somebody.metadata, timeout=20) for _ in range(40)]
    made = await asyncio.gather(*calls)
    pods = {header(await call.trailing_metadata(), "x-pod") for call in calls}
    assert len({user.id for user in made}) == 1
    assert len(pods) > 1
    listed = somebody.users.ListUsers(ListUsersRequest(name_prefix=name), metadata=somebody.metadata, timeout=20)
    assert [user.id async for user in listed] == [made[0].id]


async def test_an_email_is_unique_without_regard_to_case(somebody: Somebody) -> None:
    request = CreateUserRequest(name="Other", email=f"{somebody.name}@EXAMPLE.com")
    call = somebody.users.CreateUser(request, metadata=somebody.metadata, timeout=10)
    assert await code(call) is grpc.StatusCode.ALREADY_EXISTS


async def test_an_update_with_a_stale_etag_is_aborted(somebody: Somebody) -> None:
    users, metadata = somebody.users, somebody.metadata
    old = await users.GetUser(GetUserRequest(id=somebody.id), metadata=metadata, timeout=10)
    mask = FieldMask(paths=["name"])
    first = UpdateUserRequest(user=User(id=old.id, name="First", etag=old.etag), update_mask=mask)
    new = await users.UpdateUser(first, metadata=metadata, timeout=10)
    assert (new.name, new.email) == ("First", old.email)
    second = UpdateUserRequest(user=User(id=old.id, name="Second", etag=old.etag), update_mask=mask)
    assert await code(users.UpdateUser(second, metadata=metadata, timeout=10)) is grpc.StatusCode.ABORTED


async def test_a_batch_keeps_the_order_and_leaves_out_the_unknown(somebody: Somebody) -> None:
    request = BatchGetUsersRequest(ids=[NOBODY, somebody.id])
    answer = await somebody.users.BatchGetUsers(request, metadata=somebody.metadata, timeout=10)
    assert [user.id for user in answer.users] == [somebody.id]


async def test_a_deleted_user_is_gone(somebody: Somebody) -> None:
    users, metadata = somebody.users, somebody.metadata
    await users.DeleteUser(DeleteUserRequest(id=somebody.id), metadata=metadata, timeout=10)
    assert await code(users.GetUser(GetUserRequest(id=somebody.id), metadata=metadata, timeout=10)) is (
        grpc.StatusCode.NOT_FOUND
    )
    again = users.DeleteUser(DeleteUserRequest(id=somebody.id), metadata=metadata, timeout=10)
    assert await code(again) is grpc.StatusCode.NOT_FOUND


async def test_a_list_cut_anywhere_goes_on_after_the_last_id(somebody: Somebody) -> None:
    users, metadata, prefix = somebody.users, somebody.metadata, f"many-{uuid.uuid4().hex[:8]}"
    for number in range(25):
        name = f"{prefix}-{number:02}"
        await users.CreateUser(CreateUserRequest(name=name, email=f"{name}@example.com"), metadata=metadata, timeout=10)
    names: list[str] = []
    after = ""
    while True:
        request = ListUsersRequest(name_prefix=prefix, after_id=after, limit=7)
        page = [user async for user in users.ListUsers(request, metadata=metadata, timeout=10)]
        if not page:
            break
        names += [user.name for user in page]
        after = page[-1].id
    assert names == [f"{prefix}-{number:02}" for number in range(25)]
