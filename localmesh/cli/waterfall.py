"""One trace drawn as a tree: who, what, when within the whole, how long, how it ended, and why."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from rich.text import Text

from localmesh.observe.denials import explained
from localmesh.observe.policies import Policy
from localmesh.observe.traces import NANOSECONDS, Trace
from localmesh.observe.tree import Row, rows
from localmesh.observe.words import ATTEMPT, Acted, Told, told

_BAR = 24
# What Envoy tells the caller of a denial that is explained better.
_DENIED = "RBAC: access denied"


@dataclass(frozen=True, slots=True)
class _Line:
    row: Row
    said: Told
    notes: tuple[str, ...]

    @property
    def where(self) -> Text:
        role = f" {self.said.role}" if self.said.role else ""
        return Text(self.row.before, style="dim").append(self.said.who, style="bold").append(role, style="default")


def drawn(trace: Trace, policies: Sequence[Policy]) -> Iterator[Text]:
    """The lines of the picture. `policies` are those in force, to say where the rule stands that denied a call."""
    began = datetime.fromtimestamp(trace.begin / NANOSECONDS).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    number = len(trace.spans)
    yield Text(f"trace {trace.id}: {took(trace.seconds)}, {number} span{'s' if number > 1 else ''}, {began}\n")
    lines = _named([_line(row, policies) for row in rows(trace)])
    below = Counter((line.row.span.parent, note) for line in lines for note in line.notes)
    wide = max(line.where.cell_len for line in lines)
    call = max(len(line.said.what) for line in lines)
    for line in lines:
        yield _spaced(line, wide, call, trace)
        for note in line.notes:
            if below[line.row.span.id, note]:  # it only passed on what it was told
                continue
            before = Text(line.row.below, style="dim")
            before.pad_right(wide + 2 - before.cell_len)
            yield before.append(note, style="red" if line.said.failed else "dim")


def took(seconds: float) -> str:
    """How long, for a person."""
    return f"{seconds * 1000:.1f} ms" if seconds < 10 else f"{seconds:.1f} s"


def _line(row: Row, policies: Iterable[Policy]) -> _Line:
    said = told(row.span)
    acted = [text for one in said.acted for text in _acting(one, policies)]
    denial = explained(said.answered, policies) if said.answered else None
    if denial:
        why = str(denial).splitlines()
        return _Line(row, said, (*why, *acted, *(note for note in said.notes if note != _DENIED)))
    # Why a proxy answered by itself, in Envoy's own word.
    return _Line(row, said, (*((said.answered.details,) if said.answered else ()), *acted, *said.notes))


def _named(lines: Iterable[_Line]) -> list[_Line]:
    """An attempt is made by who made the span above it."""
    known: dict[str, str] = {}
    found = []
    for line in lines:
        said = line.said
        if said.role == ATTEMPT:
            said = replace(said, who=known.get(line.row.span.parent, said.who))
        known[line.row.span.id] = said.who
        found.append(replace(line, said=said))
    return found


def _spaced(line: _Line, wide: int, call: int, trace: Trace) -> Text:
    span, text = line.row.span, line.where
    text.pad_right(wide + 2 - text.cell_len)
    text.append(line.said.what.ljust(call + 2))
    text.append(_bar((span.begin - trace.begin) / NANOSECONDS, (span.end - span.begin) / NANOSECONDS, trace.seconds))
    text.append(took((span.end - span.begin) / NANOSECONDS).rjust(11) + "  ")
    return text.append(line.said.ended, style="red" if line.said.failed else "green")


def _bar(before: float, lasted: float, whole: float) -> str:
    """When a span was, in the time of its trace."""
    scale = _BAR / whole if whole else 0
    start = max(0, min(int(before * scale), _BAR - 1))
    length = max(1, min(round(lasted * scale), _BAR - start))
    return (" " * start + "━" * length).ljust(_BAR)


def _acting(acted: Acted, policies: Iterable[Policy]) -> Iterator[str]:
    """The policies of the kind that acted which are for its host."""
    for each in policies:
        if each.kind == acted.kind and each.is_for(acted.host):
            yield f"{acted.what} by {each.kind} {each.namespace}/{each.name} ({each.where.file}:{each.where.line})"
