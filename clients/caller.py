"""Who calls the gateway: the operator, or a person who is made a user if there is none of that name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from clients import keys, tokens, users
from clients.channel import Gateway, connect
from clients.keys import Places
from clients.tokens import SigningKey
from protos.user.v1.user_pb2 import User


@asynccontextmanager
async def operator(target: str) -> AsyncIterator[Gateway]:
    """Not a user: may do all that needs no user."""
    async with connect(target, tokens.renewed(signing_key(), tokens.OPERATOR)) as gateway:
        yield gateway


@asynccontextmanager
async def person(target: str, name: str) -> AsyncIterator[Gateway]:
    """The user of this name."""
    user = await ensured(target, name)
    async with connect(target, tokens.renewed(signing_key(), user.id)) as gateway:
        yield gateway


async def ensured(target: str, name: str) -> User:
    """The user of this name, made by the operator if there is none."""
    async with operator(target) as gateway:
        return await users.ensured(gateway, name)


def signing_key() -> SigningKey:
    """The repository's key. Raises Failure if there is none yet."""
    return keys.signing_key(Places(keys.repository()))
