"""How values are shown: tables for a person, JSON for a program, problems one line each."""

import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import click
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.console import Console
from rich.table import Table
from rich.text import Text

from localmesh.control.control_pb2 import PodStatus, Status
from localmesh.errors import Problem

A_LINE_EACH = 10_000
# Where deploy/local.yaml has no `next` of its own.
NEXT = [
    ("localmesh status", "the pods"),
    ("localmesh logs POD -f", "what a pod writes"),
    ("localmesh apply", "wait until an edit is in force"),
]
COLOURS = {"Ready": "green", "NotReady": "red", "Backoff": "red", "Stopping": "dim", "Stopped": "dim"}


def as_json(value: object) -> None:
    """One JSON value on stdout; of a message all fields, by their proto names."""
    if isinstance(value, Message):
        value = MessageToDict(value, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    click.echo(json.dumps(value, indent=2))


def problems(found: Iterable[Problem], word: str = "problem") -> None:
    """One line each on stderr, and how many."""
    lines = [str(problem) for problem in found]
    for line in lines:
        click.echo(line, err=True)
    if lines:
        click.echo(f"{len(lines)} {word}{'s' if len(lines) > 1 else ''}", err=True)


def plain(found: Iterable[Problem]) -> list[dict[str, object]]:
    """Problems as JSON has them."""
    return [
        {
            "file": each.where.file,
            "line": each.where.line,
            "column": each.where.column,
            "path": each.where.path,
            "what": each.what,
            "hint": each.hint,
            "code": each.code,
        }
        for each in found
    ]


def parsed(text: str) -> dict[str, list[dict[str, object]]]:
    """A configuration that was given as JSON."""
    found: dict[str, list[dict[str, object]]] = json.loads(text)
    return found


def pods(status: Status) -> None:
    """The pods as a table: as wide as the terminal, and elsewhere a line for each pod, however long its reason is."""
    width = None if sys.stdout.isatty() else A_LINE_EACH
    Console(highlight=False, width=width).print(pods_table(status))


def pods_table(status: Status) -> Table:
    """The pods: what a person asks for first."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("POD", "ADDRESS", "STATE", "STARTED", "START TIME", "RESTARTS"):
        table.add_column(column, no_wrap=column != "STATE")
    for pod in status.pods:
        table.add_row(
            f"{pod.namespace}/{pod.name}",
            pod.address,
            state(pod),
            ago(pod.started_at),
            f"{pod.start_seconds:.2f} s" if pod.start_seconds else "",
            str(pod.restarts),
        )
    return table


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log; nothing if there is none."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""


def state(pod: PodStatus) -> Text:
    """The state in its colour, with the reason if there is one."""
    shown = Text(pod.state, style=COLOURS.get(pod.state, "yellow"))
    return shown.append(f" ({pod.reason})", style="default") if pod.reason else shown


def ago(when: float) -> str:
    """How long it is since `when` (Unix time); nothing for 0."""
    if not when:
        return ""
    seconds = int(max(0, time.time() - when))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def hints(status: Status) -> None:
    """What to try next."""
    next_ = [(hint.command, hint.what) for hint in status.next] or NEXT
    width = max(len(command) for command, _ in next_)
    click.echo("\nNext:")
    for command, what in next_:
        click.echo(f"  {command:{width}}  {what}")
