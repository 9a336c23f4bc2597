"""A thousand users from a CSV file, and the list of them."""

import csv
import tempfile
import time
from collections import Counter
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from clients import user_import, users
from clients.channel import Gateway
from clients.demo.story import Story
from clients.user_import import Fate, Row
from protos.user.v1.user_pb2 import ListUsersRequest

COUNT = 1000


async def invited(story: Story, gateway: Gateway) -> None:
    """Imports the file twice: the second time makes nobody."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "guests.csv"
        _write(path)
        rows = user_import.read(path)
    first, seconds = await _import(story, gateway, rows, "first time")
    if first[Fate.EXISTING]:
        story.say(f"{first[Fate.EXISTING]} of them are there already: this is not your first tour.")
    story.hold(
        first[Fate.MADE] + first[Fate.EXISTING] == COUNT,
        f"{COUNT} rows of a CSV file are users, through one connection",
        f"{first[Fate.MADE]} made, {first[Fate.EXISTING]} existing, {first[Fate.FAILED]} failed, {seconds:.1f} s",
    )
    second, _ = await _import(story, gateway, rows, "once more")
    story.hold(
        second == {Fate.EXISTING: COUNT},
        "the same file again makes nobody twice",
        f"{second[Fate.MADE]} made, {second[Fate.EXISTING]} existing, {second[Fate.FAILED]} failed",
    )


async def listed(story: Story, gateway: Gateway) -> None:
    """Streams all users and finds the guests among them."""
    wanted = {_email(number) for number in range(COUNT)}
    count = 0
    begun = time.monotonic()
    async for user in users.listed(gateway, ListUsersRequest()):
        count += 1
        wanted.discard(user.email)
    seconds = time.monotonic() - begun
    story.say(f"{count} users came in one stream, {count / seconds:,.0f} a second.")
    story.hold(not wanted, "everybody who was imported is in the list", f"{len(wanted)} missing")


async def _import(story: Story, gateway: Gateway, rows: list[Row], title: str) -> tuple[Counter[Fate], float]:
    columns = (TextColumn("   {task.description}"), BarColumn(), MofNCompleteColumn())
    counts: Counter[Fate] = Counter()
    begun = time.monotonic()
    with Progress(*columns, console=story.console) as progress:
        task = progress.add_task(title, total=len(rows))
        async for outcome in user_import.imported(gateway, rows):
            counts[outcome.fate] += 1
            progress.advance(task)
    return counts, time.monotonic() - begun


def _write(path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "email"])
        writer.writerows([f"Guest {number:04}", _email(number)] for number in range(COUNT))


def _email(number: int) -> str:
    return f"guest{number:04}@demo.example.com"
