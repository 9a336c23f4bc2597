"""The gateway as a client sees it: where it is, who one is there, and how long a call may take."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import grpc

from clients.spans import traced
from protos.chat.v1.chat_pb2_grpc import ChatServiceStub
from protos.user.v1.user_pb2_grpc import UserServiceStub

if TYPE_CHECKING:  # there are stubs for asyncio in types only
    from protos.chat.v1.chat_pb2_grpc import ChatServiceAsyncStub
    from protos.user.v1.user_pb2_grpc import UserServiceAsyncStub

DEFAULT_TARGET = "127.0.0.1:8080"
UNARY_SECONDS = 10.0
# A stream that carries a known amount (a list, a file) may take this long; one that waits for people has no deadline.
TRANSFER_SECONDS = 600.0

Metadata: TypeAlias = tuple[tuple[str, str | bytes], ...]

OPTIONS: list[tuple[str, int]] = [
    # Retries live in one layer, the mesh: a client that retries too multiplies them.
    ("grpc.enable_retries", 0),
    # The gateway is on this machine or named outright; a proxy in the environment is not meant for it.
    ("grpc.enable_http_proxy", 0),
    # Pings are hop by hop: they tell that the gateway is gone, never that a replica is.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # A gateway that restarts takes a second: the default back-off of up to two minutes would outlast it by far.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # WatchRoom sends what waited in one response; a message's text alone may have 16 KB.
    ("grpc.max_receive_message_length", 16 << 20),
]


@dataclass(frozen=True)
class Gateway:
    """The services behind one connection. `bearer` gives the token of the moment: sessions outlive tokens."""

    target: str
    users: "UserServiceAsyncStub"
    chat: "ChatServiceAsyncStub"
    bearer: Callable[[], str]

    def metadata(self, room: str = "") -> Metadata:
        """The metadata of a call. `room` goes into x-room, by which the mesh hashes calls to chat's replicas."""
        token = ("authorization", f"Bearer {self.bearer()}")
        return (token, ("x-room", room)) if room else (token,)


@asynccontextmanager
async def connect(target: str, bearer: Callable[[], str]) -> AsyncIterator[Gateway]:
    """A gateway for the time of a `with`; nothing is dialled before the first call."""
    channel = grpc.aio.insecure_channel(target, options=OPTIONS)
    with traced(channel, target) as calls:
        async with channel:
            yield Gateway(target, UserServiceStub(calls), ChatServiceStub(calls), bearer)
