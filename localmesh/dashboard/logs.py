"""The lines of a pod's programs as they are written, read from the files: they also tell of a mesh that is down.

Bounded: of what is there already the last lines are read, and of what is added no more than `MOST_BYTES` a file each
time; what is left out is said.
"""

import asyncio
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

from localmesh.dashboard.events import Event
from localmesh.observe.tail import Tail

EVERY_SECONDS = 0.4
MOST_BYTES = 128 * 1024
LONGEST_LINE = 4096  # bytes; a longer one is cut
# A line's own time: the field of a JSON line, wherever it stands, or how a line begins (Envoy's own and PostgreSQL's;
# NATS has its process before it, and slashes).
_TIME = re.compile(r'(?:"time": ?"|^\[?|^\[\d+\] )(\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?)')
_ALIKE = str.maketrans("T/,", " -.")


@dataclass(frozen=True, slots=True)
class Line:
    """One line: which program wrote it, and the text."""

    program: str
    text: str


def files(folder: Path, pod: str) -> list[Path]:
    """The logs of a pod `namespace/name`, or of the control plane, `localmesh`; none if there are none."""
    if pod == "localmesh":
        return list(folder.glob("localmesh.log"))
    namespace, _, name = pod.partition("/")
    stem = f"{namespace}.{name}."
    return sorted(each for each in folder.glob("*.log") if each.name.startswith(stem) and each.name.count(".") == 3)


async def following(folder: Path, pod: str, lines: int) -> AsyncGenerator[Event]:
    """An event `first`: the last lines of all programs, in the order of their times. Then `lines`: what is added."""
    tails: dict[Path, Tail] = {}
    first = True
    while True:
        for file in files(folder, pod):
            tails.setdefault(file, Tail(file, MOST_BYTES, LONGEST_LINE))
        added = in_time([line for tail in tails.values() for line in await asyncio.to_thread(_added, tail)])
        if first:
            added = added[-lines:]
        if added or first:
            yield Event("first" if first else "lines", [{"program": line.program, "text": line.text} for line in added])
        first = False
        await asyncio.sleep(EVERY_SECONDS)


def _added(tail: Tail) -> list[Line]:
    return [Line(tail.program, text) for text in tail.added() if text]


def in_time(lines: list[Line]) -> list[Line]:
    """Lines of several programs, each in order, merged by their times; one without a time stays with the one before."""
    timed = []
    last: dict[str, str] = {}
    for line in lines:
        if found := _TIME.search(line.text):
            last[line.program] = found[1].translate(_ALIKE)
        timed.append((last.get(line.program, ""), line))
    return [line for _, line in sorted(timed, key=lambda pair: pair[0])]
