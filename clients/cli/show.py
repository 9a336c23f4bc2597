"""How answers are printed: a line for each thing, or JSON."""

import json
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from typing import TypeVar

import click
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TransferSpeedColumn

from clients.wording import plain

M = TypeVar("M", bound=Message)

as_json = click.option("--json", "as_json", is_flag=True, help="JSON, with the contract's field names.")


def json_text(message: Message) -> str:
    """One line of JSON, with every field and the contract's names."""
    fields = MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    return json.dumps(fields, ensure_ascii=False)


def one(message: Message, *, as_json: bool) -> None:
    """One thing: its fields below each other, or JSON."""
    if as_json:
        print(json_text(message))
        return
    for descriptor, value in message.ListFields():
        # A timestamp prints best as JSON does.
        text = json.loads(json_text(value)) if isinstance(value, Message) else value
        print(f"{descriptor.name:<12} {plain(str(text))}")


async def many(messages: AsyncIterator[M], line: Callable[[M], str], *, as_json: bool) -> None:
    """A listing, printed as it comes: a line each, or one JSON array."""
    before = "["
    async for message in messages:
        if as_json:
            print(before, json_text(message), sep="", end="")
            before = ",\n "
        else:
            print(line(message))
    if as_json:
        print("[]" if before == "[" else "]")


def listed(messages: Iterable[M], line: Callable[[M], str], *, as_json: bool) -> None:
    """A listing that is all there."""
    if as_json:
        print("[" + ",\n ".join(map(json_text, messages)) + "]")
        return
    for message in messages:
        print(line(message))


def counting() -> Progress:
    """A bar for things counted, on stderr; without a terminal nothing."""
    return _progress(MofNCompleteColumn())


def transferring() -> Progress:
    """A bar for bytes, on stderr; without a terminal nothing."""
    return _progress(DownloadColumn(binary_units=True), TransferSpeedColumn())


def _progress(*columns: MofNCompleteColumn | DownloadColumn | TransferSpeedColumn) -> Progress:
    console = Console(file=sys.stderr)
    return Progress(
        TextColumn("{task.description}"), BarColumn(), *columns, console=console, disable=not console.is_terminal
    )
