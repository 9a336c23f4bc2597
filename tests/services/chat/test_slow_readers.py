"""A client that takes too little is cut, and told truly where to go on."""

import asyncio
from pathlib import Path

import grpc.aio
import pytest
from prometheus_client import CollectorRegistry

from services.chat import metrics
from services.chat.conversations import Patience
from services.common.settings import DatabaseSettings
from tests.kit import eventually
from tests.services.chat.calls import cut_off, info_of, new_room, watched
from tests.services.chat.nats import Nats
from tests.services.chat.replicas import Directory, Person, replica

TEXT = "€" * 4000  # 12 kB


@pytest.mark.parametrize(
    ("name", "reader_queue", "write_seconds"), [("many-wait", 10, 60.0), ("one-waits-long", 10_000, 0.3)]
)
async def test_a_client_that_does_not_read_is_cut_with_the_right_resume_point(
    name: str,
    reader_queue: int,
    write_seconds: float,
    sockets: Path,
    chat_database: DatabaseSettings,
    nats: Nats,
    users: Directory,
    ada: Person,
) -> None:
    """All that was sent before the cut arrives, in order, and the resume point is its last sequence."""
    registry = CollectorRegistry()
    metrics.register(registry)
    slow_readers = registry.get_sample_value("chat_slow_readers_total") or 0
    (folder := sockets / name).mkdir()
    patience = Patience(write=write_seconds)
    async with replica(
        folder, database=chat_database, nats=nats, users=users, reader_queue=reader_queue, patience=patience
    ) as one:
        room = new_room()
        await one.send(ada, room, "first")
        call = one.watch(ada, room, resume_after=0)
        received = [message.sequence for message in await watched(call, until=1)]
        for _ in range(80):  # each fewer than the queue holds: what comes at once is not what makes a reader slow
            await asyncio.gather(*(one.send(ada, room, TEXT) for _ in range(8)))
        await eventually(
            lambda: registry.get_sample_value("chat_slow_readers_total") == slow_readers + 1, what="the cut"
        )
        error, rest = await cut_off(call)
        received += rest
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert received == list(range(1, len(received) + 1))
        assert len(received) < 1 + 80 * 8
        info = info_of(error)
        assert (info.reason, info.metadata["resume_after"]) == ("SLOW_READER", str(received[-1]))
