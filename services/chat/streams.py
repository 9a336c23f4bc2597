"""One client's stream of responses: how far it got, and how long the client may take over one response."""

import asyncio
from typing import Any

from services.chat import metrics
from services.chat.readers import slow_reader

# A client that does not take one response for so long is as slow as one for whom too many events wait.
WRITE_SECONDS = 20.0


class Responses:
    """Writes serialised responses. `sent` is the sequence from which the client goes on if the stream ends now."""

    def __init__(self, context: Any, sent: int, write_seconds: float) -> None:
        self._context = context
        self._write_seconds = write_seconds
        self.sent = sent

    async def write(self, response: bytes, sequence: int) -> None:
        """Sends a response after which the client has all up to `sequence`.

        Raises ResourceExhausted (SLOW_READER) if the client does not take it in time.
        """
        # A write that was begun and then given up still reaches the client, before the status.
        self.sent = sequence
        try:
            async with asyncio.timeout(self._write_seconds):
                await self._context.write(response)
        except TimeoutError:
            metrics.SLOW_READERS.inc()
            raise slow_reader(self.sent) from None


async def within(seconds: float | None, awaited: Any) -> Any:
    """What is awaited; None if it does not come in time (None: however long it takes)."""
    try:
        async with asyncio.timeout(seconds):
            return await awaited
    except TimeoutError:
        return None
