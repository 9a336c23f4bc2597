"""A trace as one value, and which traces somebody asks for."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localmesh.observe.spans import Span

NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Trace:
    """All spans of one trace that have come so far, the earliest first. There is at least one."""

    id: str
    spans: "tuple[Span, ...]" = field(repr=False)

    @classmethod
    def of(cls, spans: "Iterable[Span]") -> "Trace":
        """The trace of these spans, which are of one."""
        ordered = tuple(sorted(spans, key=lambda each: (each.begin, -each.end)))
        return cls(ordered[0].trace, ordered)

    @property
    def root(self) -> "Span":
        """Where it began, as far as is known: the earliest span whose parent is not here."""
        known = {each.id for each in self.spans}
        return next((each for each in self.spans if each.parent not in known), self.spans[0])

    @property
    def begin(self) -> int:
        """Nanoseconds since 1970."""
        return self.spans[0].begin

    @property
    def seconds(self) -> float:
        """From the first begin to the last end."""
        return (max(each.end for each in self.spans) - self.begin) / NANOSECONDS

    @property
    def services(self) -> tuple[str, ...]:
        """In the order in which they come."""
        return tuple(dict.fromkeys(each.source.service for each in self.spans))

    @property
    def failed(self) -> bool:
        """Whether any of its spans ended with an error, be it one that a retry made good."""
        return any(each.failed for each in self.spans)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which traces are asked for; all by default.

    `service` is one that takes part: `chat.mesh`, or `chat` for it in any namespace. `slower_than` is in seconds.
    """

    service: str = ""
    failed: bool = False
    slower_than: float = 0.0

    def holds(self, trace: Trace) -> bool:
        """Whether this is one of them."""
        takes_part = not self.service or any(
            name == self.service or name.startswith(f"{self.service}.") for name in trace.services
        )
        return takes_part and (trace.failed or not self.failed) and trace.seconds >= self.slower_than
