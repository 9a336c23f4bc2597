"""When streams must end, and how they say where to go on.

A process that stops, and a stream that has lived its time (so that clients spread over new replicas), end streams
themselves: grpc.aio's stop(grace) would only cut them, without a place to resume from. So does the end of the caller's
token: who is no longer let in hears no more either. A streaming handler asks for its `Life` and looks at it between
messages, or waits on it beside its queue:

    with drain.life() as life:
        async for user in users:
            yield user
            if life.over:
                raise life.ended(resume_after=user.id)
"""

import asyncio
import random
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TypeVar

from services.common import identity
from services.common.errors import StreamEnded, Unauthenticated

Item = TypeVar("Item")

DRAINING = "STREAM_DRAINING"
MAX_AGE = "STREAM_MAX_AGE"
TOKEN_EXPIRED = "TOKEN_EXPIRED"  # noqa: S105  # as the reason of a call that begins with such a token


class Life:
    """The life of one stream. `reason` is empty until it is over, then one of the reasons above."""

    def __init__(self) -> None:
        self.reason = ""
        self._over = asyncio.Event()
        self._interrupted: set[asyncio.Timeout] = set()

    @property
    def over(self) -> bool:
        """Whether the stream must end now: at the next place from which it can be resumed."""
        return bool(self.reason)

    async def wait(self) -> str:
        """Returns the reason as soon as the stream must end."""
        await self._over.wait()
        return self.reason

    @asynccontextmanager
    async def interrupting(self) -> AsyncIterator[None]:
        """Cuts short whatever is awaited inside, as soon as the life is over; look at `over` after the block.

        async with life.interrupting():
            message = await queue.get()
        if life.over:
            raise life.ended(resume_after=last)

        Never around a `yield`: it would cut the reader of the generator, not what the generator awaits.
        """
        timeout = asyncio.timeout(0 if self.over else None)
        try:
            async with timeout:
                self._interrupted.add(timeout)
                yield
        except TimeoutError:
            if not timeout.expired():
                raise
        finally:
            self._interrupted.discard(timeout)

    async def until_over(self, items: AsyncIterable[Item]) -> AsyncIterator[Item]:
        """The same items, until the life is over; look at `over` after the loop."""
        iterator = aiter(items)
        while True:
            async with self.interrupting():
                try:
                    item = await anext(iterator)
                except StopAsyncIteration:
                    return
            if self.over:
                return
            yield item

    def ended(self, *, resume_after: object) -> StreamEnded | Unauthenticated:
        """The error to raise: UNAVAILABLE, with the reason and `resume_after` in ErrorInfo.metadata.

        UNAUTHENTICATED if the token has expired: then the client goes on with a new one.
        """
        if self.reason == TOKEN_EXPIRED:
            what = "the token has expired; go on after {resume_after!r} with a new one"
            return Unauthenticated(TOKEN_EXPIRED, what, resume_after=resume_after)
        return StreamEnded(self.reason, str(resume_after))

    def end(self, reason: str) -> None:
        """Says that it is over; the first reason stays."""
        if not self.reason:
            self.reason = reason
            self._over.set()
            now = asyncio.get_running_loop().time()
            for timeout in self._interrupted:
                timeout.reschedule(now)


class Drain:
    """One per process: ends the lives of its streams, each at its age, all when the process stops."""

    def __init__(self, *, max_age_seconds: float = 1800.0) -> None:
        """Each stream lives `max_age_seconds`, give or take a tenth: streams must not all end at once."""
        self._max_age_seconds = max_age_seconds
        self._lives: set[Life] = set()
        self._draining = asyncio.Event()

    @property
    def draining(self) -> bool:
        """Whether the process is stopping."""
        return self._draining.is_set()

    async def wait(self) -> None:
        """Returns as soon as the process is stopping."""
        await self._draining.wait()

    @contextmanager
    def life(self) -> Iterator[Life]:
        """The life of the current call's stream, to be held while it is open.

        One that begins while draining is over at once.
        """
        life, loop = Life(), asyncio.get_running_loop()
        age = self._max_age_seconds * random.uniform(0.9, 1.1)  # noqa: S311  # spread, not a secret
        timers = [loop.call_later(age, life.end, MAX_AGE)]
        if caller := identity.current_or_none():
            timers.append(loop.call_later(caller.expires_at - time.time(), life.end, TOKEN_EXPIRED))
        self._lives.add(life)
        if self.draining:
            life.end(DRAINING)
        try:
            yield life
        finally:
            for timer in timers:
                timer.cancel()
            self._lives.discard(life)

    def begin(self) -> None:
        """The process stops: every stream's life is over."""
        self._draining.set()
        for life in tuple(self._lives):
            life.end(DRAINING)
