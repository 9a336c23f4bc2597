"""The broker's connection comes back by itself, and follows exactly what it is asked to."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.chat.broker import Broker
from tests.kit import Limit, eventually
from tests.services.chat.nats import Nats


class End:
    """A broker and what it received."""

    def __init__(self, nats: Nats, token: str | None = None) -> None:
        self.received: list[tuple[str, bytes]] = []
        self.connections = 0
        self.broker = Broker(
            nats.url,
            nats.token if token is None else token,
            received=lambda room, data, origin: self.received.append((room, data)),
            connected=self._connected,
        )

    def _connected(self) -> None:
        self.connections += 1


@asynccontextmanager
async def running(*ends: End) -> AsyncIterator[None]:
    """The brokers run."""
    tasks = [asyncio.create_task(end.broker.run()) for end in ends]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def connected(end: End, times: int = 1) -> None:
    """Returns when the broker has connected so often."""
    await eventually(
        lambda: end.broker.up and end.connections >= times, within=Limit.STARTED, what=f"connection {times} to NATS"
    )


def test_a_start_does_not_load_what_only_websockets_need() -> None:
    """nats-py would; who wants aiohttp later still gets it."""
    code = "import sys, services.chat.server; assert 'aiohttp' not in sys.modules; import aiohttp"
    subprocess.run([sys.executable, "-c", code], check=True)


async def test_events_reach_those_who_follow_the_room_and_nobody_else(nats: Nats) -> None:
    sender, follower, other = End(nats), End(nats), End(nats)
    async with running(sender, follower, other):
        for end in (sender, follower, other):
            await connected(end)
        await sender.broker.follow({"a.b"})
        await follower.broker.follow({"a.b", "c"})
        await other.broker.follow({"a_b", "a"})
        sender.broker.publish("a.b", b"one")
        sender.broker.publish("c", b"two")
        await eventually(lambda: len(follower.received) == 2, what="both events arrive")
        assert follower.received == [("a.b", b"one"), ("c", b"two")]
        await follower.broker.follow({"c"})
        sender.broker.publish("a.b", b"three")
        sender.broker.publish("c", b"four")
        await eventually(lambda: len(follower.received) == 3, what="the room that is still followed")
        assert follower.received[-1] == ("c", b"four")
        assert sender.received == []  # its own events are not sent back
        assert other.received == []


async def test_a_wrong_token_is_refused(nats: Nats) -> None:
    wrong, right = End(nats, token="wrong"), End(nats)
    async with running(wrong, right):
        await connected(right)
        assert not wrong.broker.up
        wrong.broker.publish("a", b"dropped")  # fails nobody


async def test_the_connection_comes_back_after_a_crash_of_the_server() -> None:
    nats = Nats()
    sender, follower = End(nats), End(nats)
    async with running(sender, follower):
        try:
            await nats.start()
            await connected(sender)
            await connected(follower)
            nats.stop()
            await eventually(lambda: not sender.broker.up, what="the loss is noticed")
            sender.broker.publish("a", b"lost")
            await nats.start()
            await connected(sender, times=2)
            await connected(follower, times=2)
            await follower.broker.follow({"a"})

            def arrives() -> bool:
                sender.broker.publish("a", b"after")  # any one may be lost
                return bool(follower.received)

            await eventually(arrives, what="an event after the crash")
            assert set(follower.received) == {("a", b"after")}
        finally:
            nats.stop()


async def test_an_event_in_the_moment_of_the_loss_costs_one_connection_only() -> None:
    nats = Nats()
    sender, follower = End(nats), End(nats)
    async with running(sender, follower):
        try:
            await nats.start()
            await connected(sender)
            await connected(follower)
            client = sender.broker._client
            assert client is not None
            nats.stop()
            while not client.is_closed:  # noqa: ASYNC110  (to the tick)
                await asyncio.sleep(0)
            sender.broker.publish("a", b"lost")  # the client is closed, and has not told so yet
            await eventually(lambda: not sender.broker.up, what="the loss is noticed")
            await nats.start()
            await connected(sender, times=2)
            await connected(follower, times=2)
            await follower.broker.follow({"a"})

            def arrives() -> bool:
                sender.broker.publish("a", b"after")
                return bool(follower.received)

            await eventually(arrives, what="an event after the crash")
            assert sender.connections == 2
        finally:
            nats.stop()
