"""A chat from its first line to its last, without a terminal."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest

from clients.chat import converse
from tests.clients.peers import DRAINING, Error, Fault, Moment, ScriptedChat, serving


class Paper:
    """A screen that keeps what it shows; `typed` is typed at once, then the input ends."""

    def __init__(self, *typed: str) -> None:
        self.shown: list[str] = []
        self._typed = typed

    def show(self, line: str) -> None:
        """Keeps it."""
        self.shown.append(line)

    async def lines(self) -> AsyncIterator[str]:
        """What is typed."""
        for line in self._typed:
            yield line

    @property
    def texts(self) -> list[str]:
        """Without the time of day."""
        return [line if line.startswith("--") else line.partition(" ")[2] for line in self.shown]


async def test_history_comes_first_and_each_line_once_when_it_is_stored() -> None:
    chat, paper = ScriptedChat(), Paper("hello", "", "again")
    for number in range(60):
        await chat.commit("lobby", f"old {number}", f"{number}", "bob")
    async with asyncio.timeout(10), serving(chat) as gateway:
        await converse(gateway, "lobby", paper)
    assert paper.texts == [*(f"bob: old {number}" for number in range(10, 60)), "sender: hello", "sender: again"]
    assert len(chat.record["lobby"]) == 62


async def test_many_lines_from_a_pipe_are_all_stored_in_order_over_cuts() -> None:
    chat, paper = ScriptedChat(), Paper(*(f"line {number}" for number in range(500)))
    chat.faults.extend([Fault(Moment.DELIVERED, DRAINING, count=90), Fault(Moment.COMMITTED, DRAINING, count=60)])
    async with asyncio.timeout(10), serving(chat) as gateway:
        await converse(gateway, "new-room", paper)
    assert [message.text for message in chat.record["new-room"]] == [f"line {number}" for number in range(500)]
    assert [text for text in paper.texts if not text.startswith("--")] == [f"sender: line {n}" for n in range(500)]
    assert any(text.startswith("-- connection lost, reconnecting (") for text in paper.texts)
    assert any(text.startswith("-- back after") for text in paper.texts)


async def test_a_line_that_no_room_takes_is_told_and_the_chat_goes_on() -> None:
    chat, paper = ScriptedChat(), Paper("x" * 5000, "short")
    async with asyncio.timeout(10), serving(chat) as gateway:
        await converse(gateway, "lobby", paper)
    assert paper.shown[0].startswith("-- not sent: a message has 1 to 4000 characters")
    assert paper.texts[1:] == ["sender: short"]


async def test_who_may_not_post_is_told_so() -> None:
    chat = ScriptedChat()
    refusal = Error(grpc.StatusCode.PERMISSION_DENIED, "NOT_A_USER")
    chat.faults.extend([Fault(Moment.COMMITTED, refusal, count=3), *[Fault(Moment.JOINED, refusal)] * 100])
    async with asyncio.timeout(10), serving(chat) as gateway:
        with pytest.raises(grpc.aio.AioRpcError, match="PERMISSION_DENIED"):
            await converse(gateway, "lobby", Paper(*["hello"] * 100))
    assert len(chat.joins) <= 2


async def test_what_others_write_cannot_move_the_cursor() -> None:
    chat, paper = ScriptedChat(), Paper()
    await chat.commit("lobby", "\x1b[2Jgone\r\n\x07", "1", "ev\x1bil")
    async with asyncio.timeout(10), serving(chat) as gateway:
        await converse(gateway, "lobby", paper)
    assert paper.shown
    assert all(line.isprintable() for line in paper.shown)
