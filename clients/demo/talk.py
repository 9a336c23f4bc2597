"""Two people in a room."""

import asyncio
import uuid

from clients.channel import Gateway
from clients.demo.story import Story
from clients.failure import Failure
from clients.room import RoomSession, Said
from clients.wording import message_line

_LINES = (
    ("ada", "hello, is anybody here?"),
    ("bob", "hi Ada! which replica are you on?"),
    ("ada", "no idea, and it does not matter"),
    ("bob", "true: the record is the same everywhere"),
)
_LIMIT_SECONDS = 20.0


async def talked(story: Story, ada: Gateway, bob: Gateway) -> None:
    """A short conversation, each line after the one before was heard by both."""
    room = f"tour-{uuid.uuid4().hex[:8]}"
    try:
        async with (
            asyncio.timeout(_LIMIT_SECONDS),
            RoomSession(ada, room, resume_after=0) as hers,
            RoomSession(bob, room, resume_after=0) as his,
        ):
            heard: dict[str, list[Said]] = {"ada": [], "bob": []}
            for speaker, text in _LINES:
                (hers if speaker == "ada" else his).post(text)
                heard["ada"].append(await _next(hers))
                heard["bob"].append(await _next(his))
                said = heard["bob"][-1]
                story.say(f"  {message_line(said.sender_name, said.text, said.create_time)}")
    except TimeoutError:
        raise Failure(f"the conversation in {room} hung for {_LIMIT_SECONDS:.0f} s") from None
    # By text and by who heard it as their own: people may have changed their names.
    for listener, lines in heard.items():
        expected = [(number, text, speaker == listener) for number, (speaker, text) in enumerate(_LINES, start=1)]
        seen = [(said.sequence, said.text, said.own) for said in lines]
        story.hold(seen == expected, f"{listener} saw every line once and in order", f"messages {_numbers(lines)}")


def _numbers(lines: list[Said]) -> str:
    return ", ".join(str(said.sequence) for said in lines)


async def _next(session: RoomSession) -> Said:
    async for event in session:
        if isinstance(event, Said):
            return event
    raise AssertionError("a session ends with an error only")
