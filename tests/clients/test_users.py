"""Calls about users that take more than one line."""

import asyncio

import grpc
import pytest

from clients import users
from protos.user.v1.user_pb2 import ListUsersRequest
from tests.clients.peers import MemoryUsers, serving


async def filled(count: int) -> MemoryUsers:
    service = MemoryUsers()
    async with serving(users=service) as gateway:
        for number in range(count):
            await users.ensured(gateway, f"user{number}")
    return service


async def test_a_list_that_is_cut_goes_on_where_it_was() -> None:
    service = await filled(20)
    service.cut_list_after.extend([7, 1, 5])
    async with serving(users=service) as gateway:
        names = [user.name async for user in users.listed(gateway, ListUsersRequest())]
    assert names == [f"user{number}" for number in range(20)]


async def test_a_limit_holds_over_a_cut() -> None:
    service = await filled(20)
    service.cut_list_after.extend([7, 3])
    async with serving(users=service) as gateway:
        names = [user.name async for user in users.listed(gateway, ListUsersRequest(limit=10))]
    assert names == [f"user{number}" for number in range(10)]


async def test_a_list_that_never_comes_is_an_error() -> None:
    service = await filled(3)
    service.cut_list_after.extend([0])
    async with serving(users=service) as gateway:
        with pytest.raises(grpc.aio.AioRpcError, match="UNAVAILABLE"):
            _ = [user async for user in users.listed(gateway, ListUsersRequest())]


async def test_ensuring_a_user_twice_or_at_once_makes_one() -> None:
    service = MemoryUsers()
    async with serving(users=service) as gateway:
        at_once = await asyncio.gather(*(users.ensured(gateway, "ada") for _ in range(10)))
        again = await users.ensured(gateway, "Ada")
    assert {user.id for user in at_once} == {again.id}
    assert len(service.users) == 1
