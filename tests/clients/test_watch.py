"""A room that is only watched: the same promise as in a conversation."""

import asyncio

import grpc
import pytest

from clients.channel import Gateway
from clients.reconnect import Back, Backoff, Lost
from clients.watch import watched
from protos.chat.v1.chat_pb2 import Message
from tests.clients.peers import AWAY, DRAINING, Fault, Moment, ScriptedChat, serving
from tests.kit import Limit

QUICK = Backoff(first_seconds=0.001, most_seconds=0.01)


async def read(gateway: Gateway, messages: int, *, resume_after: int = 0) -> list[Message | Lost | Back]:
    """All events up to and with the `messages`th message."""
    events: list[Message | Lost | Back] = []
    async with asyncio.timeout(10):
        async for event in watched(gateway, "lobby", resume_after=resume_after, backoff=QUICK):
            events.append(event)
            if sum(isinstance(event, Message) for event in events) == messages:
                break
    return events


async def test_cuts_neither_lose_nor_repeat_a_message_and_are_told() -> None:
    chat = ScriptedChat()
    for number in range(1, 8):
        await chat.commit("lobby", f"{number}", f"{number}", "bob")
    chat.replay = 2
    chat.faults.extend(
        [Fault(Moment.DELIVERED, AWAY, count=3), Fault(Moment.JOINED), Fault(Moment.DELIVERED, DRAINING)]
    )
    async with serving(chat) as gateway:
        events = await read(gateway, 6, resume_after=1)
    assert [event.sequence for event in events if isinstance(event, Message)] == [2, 3, 4, 5, 6, 7]
    assert {type(event) for event in events} == {Message, Lost, Back}


async def test_a_room_that_nobody_joined_is_an_error() -> None:
    async with serving() as gateway:
        with pytest.raises(grpc.aio.AioRpcError, match="NOT_FOUND"):
            await read(gateway, 1)


async def test_a_stream_without_a_sign_of_life_is_given_up() -> None:
    """The server breaks every silence: one that lasts is a dead path."""
    chat = ScriptedChat()
    await chat.commit("lobby", "1", "1", "bob")
    events: list[Message | Lost | Back] = []
    async with serving(chat) as gateway, asyncio.timeout(Limit.SOON.value):
        watching = watched(gateway, "lobby", resume_after=0, backoff=QUICK, silence_seconds=0.05)
        while not (any(isinstance(event, Message) for event in events) and isinstance(events[-1], Back)):
            events.append(await anext(watching))
        await watching.aclose()  # type: ignore[attr-defined]  # an async generator
    # On a busy machine streams may be given up before that one too.
    after = events[next(at for at, event in enumerate(events) if isinstance(event, Message)) + 1 :]
    assert isinstance(after[0], Lost)
    assert "no sign of life" in after[0].why
