"""Calls to UserService that take more than one line."""

import uuid
from collections.abc import AsyncIterator

import grpc

from clients import reconnect
from clients.channel import TRANSFER_SECONDS, UNARY_SECONDS, Gateway
from protos.user.v1.user_pb2 import CreateUserRequest, ListUsersRequest, User

# Ids that a client derives from what it creates live in a namespace of ours (RFC 9562, version 5).
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://localmesh.dev/users")
_MOST_CUTS = 5


def request_id(name: str, email: str) -> str:
    """The same for the same user on every run, so that making one again makes nothing (AIP-155)."""
    return str(uuid.uuid5(_NAMESPACE, f"{name}\n{email}"))


async def listed(gateway: Gateway, request: ListUsersRequest) -> AsyncIterator[User]:
    """ListUsers to its end: after a cut it goes on behind the last user seen, so nothing is lost or repeated."""
    rest = ListUsersRequest()
    rest.CopyFrom(request)
    cuts, enough = 0, False
    while True:
        try:
            call = gateway.users.ListUsers(rest, metadata=gateway.metadata(), timeout=TRANSFER_SECONDS)
            async for user in call:
                cuts = 0
                rest.after_id = user.id
                yield user
                if rest.limit:
                    rest.limit -= 1
                    enough = not rest.limit  # the server ends the stream now: who leaves before that has cancelled it
            return
        except grpc.aio.AioRpcError as error:
            if enough:  # another call would have no limit
                return
            cuts += 1
            if cuts > _MOST_CUTS or not reconnect.may_resume(error) or not rest.after_id:
                raise


async def by_email(gateway: Gateway, email: str) -> User | None:
    """The user of this address, whatever its case."""
    found = [user async for user in listed(gateway, ListUsersRequest(email=email, limit=1))]
    return found[0] if found else None


async def ensured(gateway: Gateway, name: str) -> User:
    """The user `name` with the address name@example.com, made if there is none."""
    email = f"{name}@example.com"
    if found := await by_email(gateway, email):
        return found
    wanted = CreateUserRequest(name=name, email=email, request_id=str(uuid.uuid4()))
    try:
        return await gateway.users.CreateUser(wanted, metadata=gateway.metadata(), timeout=UNARY_SECONDS)
    except grpc.aio.AioRpcError as error:
        # Somebody else made it between the two calls.
        if error.code() is grpc.StatusCode.ALREADY_EXISTS and (found := await by_email(gateway, email)):
            return found
        raise
