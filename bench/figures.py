"""Medians, and tables of them."""

import statistics
from collections.abc import Iterable, Sequence


def median(values: Iterable[float]) -> float:
    """The middle."""
    return statistics.median(values)


def percentile(values: Iterable[float], percent: int) -> float:
    """The least of the values that so many percent do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * percent // 100) - 1))]


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns as wide as they need to be: the first to the left, numbers to the right."""
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        first, *rest = (cell.ljust(width) if not column else cell.rjust(width)
                        for column, (cell, width) in enumerate(zip(cells, widths, strict=True)))  # fmt: skip
        return "  ".join((first, *rest)).rstrip()

    return "\n".join((line(header), "  ".join("-" * width for width in widths), *map(line, lines[1:])))
