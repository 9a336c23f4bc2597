"""A conversation survives the loss of its stream: nothing is lost, nothing comes twice."""

import asyncio
import random
from dataclasses import replace

import grpc
import pytest

from clients.channel import Gateway
from clients.failure import Failure
from clients.reconnect import Back, Backoff, Lost
from clients.room import Event, RoomSession, Said
from tests.clients.peers import AWAY, DRAINING, EXPIRED, Error, Fault, Moment, ScriptedChat, serving

QUICK = Backoff(first_seconds=0.001, most_seconds=0.01)
LIMIT = 10.0


def session(gateway: Gateway, *, resume_after: int = 0, patience_seconds: float = 60.0) -> RoomSession:
    return RoomSession(gateway, "lobby", resume_after=resume_after, backoff=QUICK, patience_seconds=patience_seconds)


async def read(room: RoomSession, messages: int) -> list[Event]:
    """All events up to and with the `messages`th message."""
    events: list[Event] = []
    async with asyncio.timeout(LIMIT):
        while sum(isinstance(event, Said) for event in events) < messages:
            events.append(await anext(room))
    return events


def sequences(events: list[Event]) -> list[int]:
    return [event.sequence for event in events if isinstance(event, Said)]


async def test_a_post_comes_back_once_as_its_acknowledgement() -> None:
    chat = ScriptedChat()
    async with serving(chat) as gateway, session(gateway) as room:
        acknowledged = room.post("hello")
        [said] = await read(room, 1)
        assert isinstance(said, Said)
        assert (said.text, said.sequence, said.own) == ("hello", 1, True)
        assert await acknowledged == said
    assert [message.text for message in chat.record["lobby"]] == ["hello"]


async def test_a_session_begins_behind_the_sequence_it_is_given() -> None:
    chat = ScriptedChat()
    for number in range(1, 6):
        await chat.commit("lobby", f"{number}", f"{number}", "bob")
    async with serving(chat) as gateway, session(gateway, resume_after=3) as room:
        assert sequences(await read(room, 2)) == [4, 5]


async def test_a_stream_that_outlived_its_token_goes_on_at_once_with_a_new_one() -> None:
    """Said with the place to go on from. A token that is refused at the beginning ends the session."""
    chat = ScriptedChat()
    chat.faults.extend([Fault(Moment.DELIVERED, replace(EXPIRED, resume_after="1"))])
    async with serving(chat) as gateway, session(gateway) as room:
        room.post("one")
        room.post("two")
        assert sequences(events := await read(room, 2)) == [1, 2]
        assert [event.wait_seconds for event in events if isinstance(event, Lost)] == [0]
    chat.faults.append(Fault(Moment.JOINED, EXPIRED))
    async with serving(chat) as gateway, session(gateway) as room:
        with pytest.raises(grpc.aio.AioRpcError, match="UNAUTHENTICATED"):
            await read(room, 1)


@pytest.mark.parametrize("moment", Moment)
@pytest.mark.parametrize("error", [AWAY, DRAINING, Error(grpc.StatusCode.INTERNAL), Error(grpc.StatusCode.CANCELLED)])
async def test_a_cut_at_any_moment_neither_loses_nor_repeats_a_message(moment: Moment, error: Error) -> None:
    chat = ScriptedChat()
    chat.faults.extend([Fault(moment, error, count=2 if moment is Moment.DELIVERED else 1)] * 2)
    async with serving(chat) as gateway, session(gateway) as room:
        for text in ("one", "two", "three"):
            room.post(text)
        events = await read(room, 3)
    assert [event.text for event in events if isinstance(event, Said)] == ["one", "two", "three"]
    assert [message.text for message in chat.record["lobby"]] == ["one", "two", "three"]
    assert [type(event) for event in events if not isinstance(event, Said)][:1] == [Lost]


async def test_a_lost_stream_is_told_and_so_is_the_new_one_even_in_a_silent_room() -> None:
    chat = ScriptedChat()
    await chat.commit("lobby", "before", "0", "bob")
    chat.faults.extend([Fault(Moment.DELIVERED), Fault(Moment.JOINED)])
    async with serving(chat) as gateway, session(gateway) as room:
        events = [await asyncio.wait_for(anext(room), LIMIT) for _ in range(4)]
    assert [type(event) for event in events] == [Said, Lost, Lost, Back]


async def test_a_stream_that_the_service_ended_on_purpose_is_followed_at_once() -> None:
    chat = ScriptedChat()
    chat.faults.append(Fault(Moment.JOINED, DRAINING))
    async with serving(chat) as gateway, session(gateway) as room:
        lost = await asyncio.wait_for(anext(room), LIMIT)
        assert isinstance(lost, Lost)
        assert lost.wait_seconds == 0


async def test_messages_that_come_twice_are_shown_once() -> None:
    chat = ScriptedChat()
    chat.replay = 3
    for number in range(1, 6):
        await chat.commit("lobby", f"{number}", f"{number}", "bob")
    async with serving(chat) as gateway, session(gateway, resume_after=4) as room:
        assert sequences(await read(room, 1)) == [5]
        room.post("six")
        assert sequences(await read(room, 1)) == [6]


async def test_a_gap_in_the_sequence_is_read_again_instead_of_shown() -> None:
    chat = ScriptedChat()
    for number in range(1, 6):
        await chat.commit("lobby", f"{number}", f"{number}", "bob")
    chat.skip = 2
    async with serving(chat) as gateway, session(gateway) as room:
        assert sequences(await read(room, 5)) == [1, 2, 3, 4, 5]


async def test_a_refusal_ends_the_session_and_its_posts_with_the_error() -> None:
    chat = ScriptedChat()
    chat.faults.append(Fault(Moment.RECEIVED, Error(grpc.StatusCode.PERMISSION_DENIED, "NOT_A_USER")))
    async with serving(chat) as gateway, session(gateway) as room:
        acknowledged = room.post("hello")
        with pytest.raises(grpc.aio.AioRpcError, match="PERMISSION_DENIED"):
            await asyncio.wait_for(anext(room), LIMIT)
        with pytest.raises(grpc.aio.AioRpcError, match="PERMISSION_DENIED"):
            await asyncio.wait_for(acknowledged, LIMIT)
        with pytest.raises(grpc.aio.AioRpcError, match="PERMISSION_DENIED"):
            await asyncio.wait_for(anext(room), LIMIT)
    assert len(chat.joins) == 1


async def test_patience_has_an_end_where_one_is_given() -> None:
    chat = ScriptedChat()
    chat.faults.extend([Fault(Moment.JOINED)] * 1000)
    async with serving(chat) as gateway, session(gateway, patience_seconds=0.05) as room:
        with pytest.raises(grpc.aio.AioRpcError, match="UNAVAILABLE"):
            async with asyncio.timeout(LIMIT):
                async for event in room:
                    assert isinstance(event, Lost)


async def test_a_text_that_no_room_takes_is_refused_before_it_is_sent() -> None:
    async with serving() as gateway, session(gateway) as room:
        for text in ("", "x" * 4001):
            with pytest.raises(Failure, match="1 to 4000 characters"):
                room.post(text)


async def test_a_silent_path_is_given_up_and_another_taken() -> None:
    chat = ScriptedChat()
    async with (
        serving(chat) as gateway,
        RoomSession(gateway, "lobby", resume_after=0, backoff=QUICK, silence_seconds=0.05) as room,
    ):
        lost = await asyncio.wait_for(anext(room), LIMIT)
        assert isinstance(lost, Lost)
        assert "no sign of life" in lost.why


async def test_two_sessions_agree_on_everything_through_a_hundred_cuts() -> None:
    """Seeded, so a failure can be run again."""
    choice = random.Random(7)
    chat = ScriptedChat()
    for _ in range(100):
        chat.faults.append(Fault(choice.choice(list(Moment)), choice.choice([AWAY, DRAINING]), choice.randint(1, 4)))
    texts = {f"{who} {number}" for who in ("ada", "bob") for number in range(60)}
    async with serving(chat) as gateway, session(gateway) as ada, session(gateway) as bob:
        for number in range(60):
            ada.post(f"ada {number}")
            bob.post(f"bob {number}")
        seen = await asyncio.gather(read(ada, 120), read(bob, 120))
    record = [message.text for message in chat.record["lobby"]]
    assert set(record) == texts
    assert len(record) == len(texts)
    for events in seen:
        assert [event.text for event in events if isinstance(event, Said)] == record
    for who in ("ada", "bob"):
        assert [text for text in record if text.startswith(who)] == [f"{who} {number}" for number in range(60)]
