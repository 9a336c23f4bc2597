"""What a bench has found, as a value: rows of two figures, their ratio and the aim, and tables beside them.

def measured() -> Report: …

if __name__ == "__main__":
    command(measured)  # prints the report; with --json, as JSON
"""

import json
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from bench.figures import Quartiles, number, table


@dataclass(frozen=True, slots=True)
class Aim:
    """A bound of a row: of its ratio, or of its first figure. `least`: no less than this, else no more than this."""

    limit: float
    least: bool = False
    of_ratio: bool = True


@dataclass(frozen=True, slots=True)
class Row:
    """Two figures of one run, and the first divided by the second (paired inside rounds where there are rounds).

    `otherwise` says why the aim is not met and what the next step is; it is shown only then. A row without an aim
    tells something that the others need to be understood.
    """

    what: str
    unit: str
    ours: float
    ours_is: str
    other: float
    other_is: str
    ratio: Quartiles
    aim: Aim | None = None
    otherwise: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the median keeps to the aim; None if there is none."""
        if self.aim is None:
            return None
        value = self.ratio.middle if self.aim.of_ratio else self.ours
        return value >= self.aim.limit if self.aim.least else value <= self.aim.limit

    @property
    def aimed(self) -> str:
        """The aim in words: `≤ 1.35x`, `≤ 200 µs`."""
        if self.aim is None:
            return ""
        unit = "x" if self.aim.of_ratio else f" {self.unit}"
        return f"{'≥' if self.aim.least else '≤'} {number(self.aim.limit)}{unit}"

    @property
    def verdict(self) -> str:
        """One word."""
        return {None: "", True: "met", False: "not met"}[self.met]

    @property
    def cells(self) -> tuple[str, ...]:
        """As a line of a table."""
        spread = f"{number(self.ratio.middle)}x ({number(self.ratio.low)}..{number(self.ratio.high)})"
        return (
            self.what,
            f"{number(self.ours)} {self.unit}, {self.ours_is}",
            f"{number(self.other)} {self.unit}, {self.other_is}",
            spread,
            self.aimed,
            self.verdict,
        )


ROW_HEADING = ("", "one", "other", "ratio (quartiles)", "aim", "")


@dataclass(frozen=True, slots=True)
class Table:
    """Figures that have no aim of their own. The first cell of the heading says what they are."""

    heading: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __str__(self) -> str:
        """For a terminal."""
        return table(self.heading, self.rows)


@dataclass(frozen=True, slots=True)
class Report:
    """All of one bench. `about` says what is compared and how; `tried` what was tried and left out, with figures."""

    name: str
    about: str
    rows: tuple[Row, ...]
    tables: tuple[Table, ...] = ()
    tried: tuple[str, ...] = ()

    def __str__(self) -> str:
        """For a terminal."""
        parts = [table(ROW_HEADING, [row.cells for row in self.rows]), *map(str, self.tables)]
        parts += [f"{row.what}: {row.otherwise}" for row in self.rows if row.met is False]
        return "\n\n".join(parts)


def to_json(report: Report) -> str:
    """A line of JSON that `from_json` reads."""
    return json.dumps(asdict(report), ensure_ascii=False)


def from_json(text: str) -> Report:
    """The report that `to_json` wrote."""
    said: dict[str, Any] = json.loads(text)
    rows = tuple(_row(row) for row in said.pop("rows"))
    tables = tuple(Table(tuple(one["heading"]), tuple(tuple(row) for row in one["rows"])) for one in said.pop("tables"))
    return Report(**{**said, "rows": rows, "tables": tables, "tried": tuple(said["tried"])})


def _row(said: dict[str, Any]) -> Row:
    aim = None if said["aim"] is None else Aim(**said["aim"])
    return Row(**{**said, "ratio": Quartiles(**said["ratio"]), "aim": aim})


def command(measured: Callable[[], Report]) -> None:
    """The command of a bench: measures, and prints a table, or with --json the same as JSON.

    SIGTERM ends it as Ctrl-C does, so that nothing of it is left running.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    as_json = sys.argv[1:] == ["--json"]
    if sys.argv[1:] and not as_json:
        raise SystemExit(f"usage: {sys.argv[0]} [--json]")
    report = measured()
    print(to_json(report) if as_json else report)
