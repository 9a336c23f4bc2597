"""`rooms` and `chat`: what is said."""

import contextlib
import sys
import uuid
from datetime import UTC

import click

from clients import history as room_history
from clients import watch as room_watch
from clients.channel import UNARY_SECONDS
from clients.chat import converse
from clients.cli import show
from clients.cli.calls import Commands, Options, asynchronous, examples
from clients.reconnect import Back
from clients.screen import Pipe, Terminal
from clients.wording import message_line, status_line
from protos.chat.v1.chat_pb2 import Message, SendMessageRequest

# Without a person who can press Ctrl-C, a chat that cannot get through ends some time.
_PIPED_PATIENCE_SECONDS = 60.0

_as_user = click.option("--user", default="", help="Who speaks: made if missing. Not needed with --token.")


@click.group(cls=Commands)
def rooms() -> None:
    """Send to, read and watch rooms."""


@rooms.command(epilog=examples("rooms send lobby 'hello everybody' --user ada"))
@click.argument("room")
@click.argument("text")
@_as_user
@click.option("--message-id", help="The same one makes the same message. Without it a new one.")
@show.as_json
@click.pass_obj
@asynchronous
async def send(options: Options, *, room: str, text: str, user: str, message_id: str | None, as_json: bool) -> None:
    """Post one message. It is stored when this returns."""
    speaks(options, user)
    request = SendMessageRequest(room=room, text=text, message_id=message_id or str(uuid.uuid4()))
    async with options.gateway(user) as gateway:
        message = await gateway.chat.SendMessage(request, metadata=gateway.metadata(room), timeout=UNARY_SECONDS)
    show.one(message, as_json=as_json)


@rooms.command(epilog=examples("rooms history lobby --last 20"))
@click.argument("room")
@click.option(
    "--last", "count", default=50, type=click.IntRange(1, 100_000), show_default=True, help="How many messages."
)
@show.as_json
@click.pass_obj
@asynchronous
async def history(options: Options, room: str, count: int, as_json: bool) -> None:
    """Show the last messages of a room."""
    async with options.gateway() as gateway:
        messages = await room_history.last(gateway, room, count)
    show.listed(messages, _line, as_json=as_json)


@rooms.command(epilog=examples("rooms watch lobby", "rooms watch lobby --after 0 --json"))
@click.argument("room")
@click.option("--after", type=click.IntRange(0), help="From behind this sequence. Without it: only what is new.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.pass_obj
@asynchronous
async def watch(options: Options, room: str, after: int | None, as_json: bool) -> None:
    """Show what is said in a room, until Ctrl-C. Comes back after every cut and misses nothing."""
    async with options.gateway() as gateway:
        if after is None:
            last = await room_history.last(gateway, room, 1)
            after = last[0].sequence if last else 0
        async for event in room_watch.watched(gateway, room, resume_after=after):
            if isinstance(event, Message):
                print(show.json_text(event) if as_json else _line(event), flush=True)
            elif isinstance(event, Back) or event.attempt == 1:
                print(status_line(event), file=sys.stderr)


@click.command(epilog=examples("chat --user ada", "chat --user bob --room lobby < lines.txt"))
@_as_user
@click.option("--room", default="lobby", show_default=True)
@click.pass_obj
def chat(options: Options, user: str, room: str) -> None:
    """Chat in a room: its last messages, then live. Ctrl-D leaves.

    Survives the loss of whatever it was connected to. Without a terminal it sends what it reads, and ends when all of
    it is stored.
    """
    speaks(options, user)
    with contextlib.suppress(KeyboardInterrupt):
        _chat(options, user, room)


@asynchronous
async def _chat(options: Options, user: str, room: str) -> None:
    async with options.gateway(user) as gateway:
        if sys.stdin.isatty() and sys.stdout.isatty():
            print(f"-- {room} at {options.target}; Ctrl-D leaves")
            with Terminal(f"{user}> " if user else "> ") as screen:
                await converse(gateway, room, screen)
        else:
            await converse(gateway, room, Pipe(), patience_seconds=_PIPED_PATIENCE_SECONDS)


def speaks(options: Options, user: str) -> None:
    """Raises UsageError if nobody is named who could speak."""
    if not (user or options.token):
        raise click.UsageError("who speaks? give --user NAME, or --token before the verb")


def _line(message: Message) -> str:
    line = message_line(message.sender_name, message.text, message.create_time.ToDatetime(tzinfo=UTC))
    return f"{message.sequence:>6}  {line}"
