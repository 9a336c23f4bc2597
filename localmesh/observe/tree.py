"""A trace as a tree of lines: each span below its parent, in the order in which they began."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from localmesh.observe.spans import Span
from localmesh.observe.traces import Trace

_SPACE, _BAR, _BRANCH, _LAST = "   ", "│  ", "├─ ", "└─ "


@dataclass(frozen=True, slots=True)
class Row:
    """One line: the span, and what is drawn before it. `below` is for further lines of the same span."""

    span: Span
    before: str
    below: str


def rows(trace: Trace) -> Iterator[Row]:
    """The lines of a trace. A span whose parent is not here stands at the left edge, each span exactly once."""
    children: dict[str, list[Span]] = defaultdict(list)
    known = {each.id for each in trace.spans}
    for span in trace.spans:
        children[span.parent if span.parent in known else ""].append(span)
    drawn: set[str] = set()
    yield from _below(children[""], children, drawn)
    # Parents that are their own descendants hang on nothing; no well-made program sends such.
    yield from _below([span for span in trace.spans if span.id not in drawn], {}, drawn)


def _below(roots: list[Span], children: dict[str, list[Span]], drawn: set[str]) -> Iterator[Row]:
    """Depth first, without recursion: how deep a trace is, its senders say."""
    waiting = [(span, "", "") for span in reversed(roots)]
    while waiting:
        span, before, indent = waiting.pop()
        if span.id in drawn:
            continue
        drawn.add(span.id)
        some = children.get(span.id, [])
        yield Row(span, before, indent + (_BAR if some else _SPACE))
        last = len(some) - 1
        waiting += [
            (each, indent + (_LAST if at == last else _BRANCH), indent + (_SPACE if at == last else _BAR))
            for at, each in reversed(list(enumerate(some)))
        ]
