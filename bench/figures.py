"""Medians, quartiles, and tables of them."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quartiles:
    """The middle of many values, and the range that half of them lie in."""

    low: float
    middle: float
    high: float


def median(values: Iterable[float]) -> float:
    """The middle."""
    return statistics.median(values)


def quartiles(values: Iterable[float]) -> Quartiles:
    """Of at least one value."""
    known = list(values)
    if len(known) == 1:
        return Quartiles(known[0], known[0], known[0])
    low, middle, high = statistics.quantiles(known, n=4, method="inclusive")
    return Quartiles(low, middle, high)


def percentile(values: Iterable[float], percent: int) -> float:
    """The least of the values that so many percent do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * percent // 100) - 1))]


def number(value: float) -> str:
    """Three digits that count, and no more: `0.0123`, `4.5`, `118`, `33,800`."""
    if value == 0:
        return "0"
    if abs(value) < 1000:
        return f"{float(f'{value:.3g}'):g}"
    return f"{float(f'{value:.3g}'):,.0f}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns as wide as they need to be: the first to the left, numbers to the right."""
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        first, *rest = (cell.ljust(width) if not column else cell.rjust(width)
                        for column, (cell, width) in enumerate(zip(cells, widths, strict=True)))  # fmt: skip
        return "  ".join((first, *rest)).rstrip()

    return "\n".join((line(header), "  ".join("-" * width for width in widths), *map(line, lines[1:])))
