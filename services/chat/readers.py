"""One reader's place in a room: history from the record first, then live from a bounded queue."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from services.chat import metrics
from services.chat.events import Event
from services.common.errors import ResourceExhausted

# Reads up to so many events that follow a sequence.
History = Callable[[int], Awaitable[list[Event]]]


class Reader:
    """Gives each event after `position` once, in order. One task takes; the room offers.

    A reader that is behind its room reads the record at its own pace and nothing is kept for it; only when it has
    caught up is it live, and from then on at most `limit` events wait for it.
    """

    def __init__(self, position: int, *, limit: int, head: Callable[[], int], history: History) -> None:
        """`head` is the last sequence that the room has offered to its readers."""
        self.position = position  # all up to here has been taken
        self._limit = limit
        self._head = head
        self._history = history
        self._queue: list[Event] = []
        self._live = False
        self._slow = False
        self._wake = asyncio.Event()

    def offer(self, events: Sequence[Event]) -> None:
        """Events of the room, in order and without a gap; those that the reader has had already are left out."""
        if not self._live:
            return
        last = self._queue[-1].sequence if self._queue else self.position
        fresh = events if events[0].sequence > last else [event for event in events if event.sequence > last]
        if len(self._queue) + len(fresh) <= self._limit:
            self._queue.extend(fresh)
        else:
            # Who had taken everything is not slow: much came at once, and the rest can be read from the record.
            self._live, self._slow = False, bool(self._queue)
            self._queue = []
            metrics.SLOW_READERS.inc(self._slow)
        self.wake()

    def wake(self) -> None:
        """Lets `take` return, with nothing if nothing waits."""
        self._wake.set()

    async def take(self) -> list[Event]:
        """All that waits, in order; waits for something to come. Empty if it was woken for another reason.

        Raises ResourceExhausted (SLOW_READER, with resume_after) if more than the limit waited, Unavailable if the
        record is needed and away.
        """
        if not self._live and not self._slow:
            # What the room offers is always the next after its head: from there on nothing can be missed.
            self._live = self.position >= self._head()
            if not self._live:
                return self._taken(await self._history(self.position))
        if not self._queue and not self._slow:
            await self._wake.wait()
        self._wake.clear()
        if self._slow:
            raise slow_reader(self.position)
        events, self._queue = self._queue, []
        return self._taken(events)

    def _taken(self, events: list[Event]) -> list[Event]:
        if events:
            self.position = events[-1].sequence
            metrics.DELIVERIES.inc(len(events))
        return events


def slow_reader(position: int) -> ResourceExhausted:
    """The error for a reader that takes too little; it goes on after `position`."""
    return ResourceExhausted(
        "SLOW_READER",
        "more events waited than this stream may hold; go on after {resume_after}",
        resume_after=position,
    )
