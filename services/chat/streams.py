"""One client's stream of responses: how far it got, whether it is quiet, how long the client takes over each."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from services.chat import metrics
from services.chat.readers import slow_reader

# A client that does not take one response for so long is as slow as one for whom too many events wait.
WRITE_SECONDS = 20.0


class Responses:
    """Writes serialised responses. `sent` is the sequence from which the client goes on if the stream ends now.

    One timer looks after the whole stream: a timer for each write would cost a fifth of what the write does.
    """

    def __init__(self, context: Any, sent: int, *, write_seconds: float, quiet_seconds: float | None) -> None:
        """A client may take `write_seconds` over a response; after `quiet_seconds` without one the stream is quiet."""
        self.sent = sent
        self._context = context
        self._write_seconds = write_seconds
        self._quiet_seconds = math.inf if quiet_seconds is None else quiet_seconds
        self._loop = asyncio.get_running_loop()
        self._begun = self._loop.time()
        self._writing = False
        self._timer: asyncio.TimerHandle | None = None

    async def write(self, response: bytes, sequence: int) -> None:
        """Sends a response after which the client has all up to `sequence`."""
        # A write that was begun and then given up still reaches the client, before the status.
        self.sent = sequence
        self._begun = self._loop.time()
        self._writing = True
        await self._context.write(response)
        self._writing = False

    @property
    def quiet(self) -> bool:
        """Whether it is time for a sign of life."""
        return self._loop.time() >= self._begun + self._quiet_seconds

    @asynccontextmanager
    async def watched(self, wake: Callable[[], None]) -> AsyncIterator[None]:
        """To be held around all writes; calls `wake` when the stream has become quiet.

        Raises ResourceExhausted (SLOW_READER) if the client does not take a response in time.
        """
        timeout = asyncio.timeout(None)
        try:
            async with timeout:
                self._look(timeout, wake)
                yield
        except TimeoutError:
            if not timeout.expired():
                raise
            metrics.SLOW_READERS.inc()
            raise slow_reader(self.sent) from None
        finally:
            if self._timer is not None:
                self._timer.cancel()

    def _look(self, timeout: asyncio.Timeout, wake: Callable[[], None]) -> None:
        """Does what is due, and comes again when something else can be."""
        now = self._loop.time()
        if self._writing:
            due = self._begun + self._write_seconds
            if now >= due:
                timeout.reschedule(now)
                return
        else:
            quiet_at = self._begun + self._quiet_seconds
            if now >= quiet_at:
                wake()
                quiet_at = now + self._quiet_seconds
            due = min(quiet_at, now + self._write_seconds)
        self._timer = self._loop.call_at(due, self._look, timeout, wake)
