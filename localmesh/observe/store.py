"""The traces of a running mesh, in bounded memory: when it is full, the trace that began to arrive first goes first."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from localmesh.errors import MeshError
from localmesh.observe.traces import Trace, Wanted

if TYPE_CHECKING:
    from localmesh.observe.spans import Span

# At a thousand spans a second the last minute or so.
MOST_SPANS = 60_000
MOST_BYTES = 96 * 1024 * 1024
# So many ids in one message of an unknown or doubtful one.
_SHOWN_IDS = 3


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept, and after how many seconds without a new span a trace is told to who watches."""

    spans: int = MOST_SPANS
    bytes: int = MOST_BYTES
    quiet: float = 1.0
    unread: int = 1000  # traces that may wait for one watcher; then it misses the oldest


@dataclass(eq=False, slots=True)
class _Watcher:
    """When a span of each trace last came that this watcher has not been told of, the longest ago first."""

    last: OrderedDict[str, float] = field(default_factory=OrderedDict)
    stirred: asyncio.Event = field(default_factory=asyncio.Event)


class TraceStore:
    """Takes spans and gives traces. A late span joins its trace. Used on one event loop."""

    def __init__(self, limits: Limits = Limits()) -> None:
        self._limits = limits
        # By trace id, in the order of their first arrival; each by span id: what is sent twice counts once.
        self._traces: OrderedDict[str, dict[str, Span]] = OrderedDict()
        self._watchers: set[_Watcher] = set()
        self.spans = 0
        self.bytes = 0

    @property
    def held(self) -> int:
        """How many traces are kept."""
        return len(self._traces)

    def take(self, spans: "Iterable[Span]") -> None:
        """Keep these spans."""
        touched = dict.fromkeys(self._kept(span) for span in spans)
        while self.spans > self._limits.spans or self.bytes > self._limits.bytes:
            self._forget_oldest()
        for watcher in self._watchers:
            self._stir(watcher, touched)

    def trace(self, prefix: str) -> Trace:
        """The one trace whose id begins so. MeshError if there is none, or more than one."""
        wanted = prefix.lower()
        if wanted in self._traces:
            return self._made(wanted)
        found = [each for each in self._traces if each.startswith(wanted)]
        if len(found) == 1:
            return self._made(found[0])
        if not found:
            raise MeshError(
                f"there is no trace {prefix}",
                "localmesh traces lists those that are kept; the oldest go first when there are many",
            )
        shown = ", ".join(found[:_SHOWN_IDS]) + (" …" if len(found) > _SHOWN_IDS else "")
        raise MeshError(f"{len(found)} traces begin with {prefix!r}: {shown}", "give more of the id")

    def traces(self, wanted: Wanted, limit: int) -> tuple[Trace, ...]:
        """At most `limit` of the wanted traces, the last to arrive first."""
        found = (trace for key in reversed(self._traces) if wanted.holds(trace := self._made(key)))
        return tuple(islice(found, limit))

    async def watch(self, wanted: Wanted) -> AsyncGenerator[Trace, None]:
        """Each wanted trace that arrives from now on, once no span of it has come for a while; again if more come."""
        watcher = _Watcher()
        self._watchers.add(watcher)
        try:
            while True:
                for trace in self._quiet(watcher):
                    if wanted.holds(trace):
                        yield trace
                await self._next(watcher)
        finally:
            self._watchers.discard(watcher)

    # --- keeping -----------------------------------------------------------------------------------------------------

    def _kept(self, span: "Span") -> str:
        trace = self._traces.setdefault(span.trace, {})
        known = trace.get(span.id)
        trace[span.id] = span
        self.spans += known is None
        self.bytes += span.size - (known.size if known else 0)
        return span.trace

    def _forget_oldest(self) -> None:
        _, spans = self._traces.popitem(last=False)
        self.spans -= len(spans)
        self.bytes -= sum(each.size for each in spans.values())

    def _made(self, key: str) -> Trace:
        return Trace.of(self._traces[key].values())

    # --- watching ----------------------------------------------------------------------------------------------------

    def _stir(self, watcher: _Watcher, touched: Iterable[str]) -> None:
        now = asyncio.get_running_loop().time()
        for key in touched:
            watcher.last[key] = now
            watcher.last.move_to_end(key)
        while len(watcher.last) > self._limits.unread:
            watcher.last.popitem(last=False)
        watcher.stirred.set()

    def _quiet(self, watcher: _Watcher) -> Iterator[Trace]:
        """Takes from the watcher what has been quiet for long enough."""
        before = asyncio.get_running_loop().time() - self._limits.quiet
        while watcher.last and next(iter(watcher.last.values())) <= before:
            key, _ = watcher.last.popitem(last=False)
            if key in self._traces:
                yield self._made(key)

    async def _next(self, watcher: _Watcher) -> None:
        """Return when the first trace may be quiet."""
        while not watcher.last:  # an export may hold no span
            watcher.stirred.clear()
            await watcher.stirred.wait()
        waiting = asyncio.get_running_loop().time() - next(iter(watcher.last.values()))
        await asyncio.sleep(max(0.0, self._limits.quiet - waiting))
