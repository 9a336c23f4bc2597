"""The last messages of a room, oldest first, over as many pages as it takes."""

import pytest

from clients import history
from tests.clients.peers import ScriptedChat, serving


@pytest.mark.parametrize(("count", "first"), [(1, 250), (99, 152), (100, 151), (101, 150), (250, 1), (400, 1)])
async def test_the_last_messages_come_oldest_first(count: int, first: int) -> None:
    chat = ScriptedChat()
    for number in range(250):
        await chat.commit("lobby", f"{number}", f"{number}", "bob")
    async with serving(chat) as gateway:
        found = await history.last(gateway, "lobby", count)
    assert [message.sequence for message in found] == list(range(first, 251))


async def test_a_room_that_does_not_exist_has_no_history() -> None:
    async with serving() as gateway:
        assert await history.last_if_any(gateway, "nowhere", 50) == []
