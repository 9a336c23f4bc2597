"""A chat: the history first, then what is said and what one types, until one leaves."""

import asyncio
from datetime import UTC

from clients import history
from clients.channel import Gateway
from clients.failure import Failure
from clients.reconnect import Back
from clients.room import RoomSession, Said
from clients.screen import Screen
from clients.wording import message_line, status_line

HISTORY = 50
_MOST_UNACKNOWLEDGED = 100


async def converse(gateway: Gateway, room: str, screen: Screen, *, patience_seconds: float = float("inf")) -> None:
    """Until the input ends and all that was typed is acknowledged and shown. Raises what ended it before."""
    past = await history.last_if_any(gateway, room, HISTORY)
    for message in past:
        screen.show(message_line(message.sender_name, message.text, message.create_time.ToDatetime(tzinfo=UTC)))
    resume_after = past[-1].sequence if past else 0
    async with RoomSession(gateway, room, resume_after=resume_after, patience_seconds=patience_seconds) as session:
        # A slot is taken by each line on its way and freed when it is shown.
        slots = asyncio.Semaphore(_MOST_UNACKNOWLEDGED)
        tasks = {asyncio.create_task(_show(session, screen, slots)), asyncio.create_task(_type(session, screen, slots))}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _show(session: RoomSession, screen: Screen, slots: asyncio.Semaphore) -> None:
    async for event in session:
        if isinstance(event, Said):
            screen.show(message_line(event.sender_name, event.text, event.create_time))
            if event.own:
                slots.release()
        elif isinstance(event, Back) or event.attempt == 1:
            screen.show(status_line(event))


async def _type(session: RoomSession, screen: Screen, slots: asyncio.Semaphore) -> None:
    async for line in screen.lines():
        if not line.strip():
            continue
        await slots.acquire()
        try:
            session.post(line)
        except Failure as failure:
            slots.release()
            screen.show(f"-- not sent: {failure}")
    for _ in range(_MOST_UNACKNOWLEDGED):
        await slots.acquire()
