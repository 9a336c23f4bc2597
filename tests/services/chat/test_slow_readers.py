"""A client that takes too little is cut, and told truly where to go on."""

import asyncio
from pathlib import Path

import grpc.aio

from services.chat.conversations import Patience
from services.common.settings import DatabaseSettings
from tests.services.chat.calls import cut_off, info_of, new_room, watched
from tests.services.chat.nats import Nats
from tests.services.chat.replicas import Directory, Person, replica

TEXT = "x" * 4000


async def test_a_client_that_does_not_read_is_cut_with_the_right_resume_point(
    sockets: Path, chat_database: DatabaseSettings, nats: Nats, users: Directory, ada: Person
) -> None:
    """All that was sent before the cut arrives, in order, and the resume point is its last sequence."""
    folder = sockets / "slow"
    folder.mkdir()
    async with replica(
        folder, database=chat_database, nats=nats, users=users, reader_queue=10, patience=Patience(write=0.5)
    ) as one:
        room = new_room()
        await one.send(ada, room, "first")
        call = one.watch(ada, room, resume_after=0)
        await call.wait_for_connection()
        received = [message.sequence for message in await watched(call, until=1)]
        for _ in range(30):
            await asyncio.gather(*(one.send(ada, room, TEXT) for _ in range(64)))
        error, rest = await cut_off(call)
        received += rest
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert received == list(range(1, len(received) + 1))
        assert len(received) < 1 + 30 * 64
        assert info_of(error).reason == "SLOW_READER"
        assert info_of(error).metadata["resume_after"] == str(received[-1])
