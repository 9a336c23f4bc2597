"""One reader for all who look: it reads once a second while there is somebody, and rests while there is nobody."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")

EVERY_SECONDS = 1.0


class Feed(Generic[T]):
    """The newest reading, for any number of viewers. One that is slow misses readings, and none is kept for it."""

    def __init__(self, read: Callable[[], Awaitable[T]], every_seconds: float = EVERY_SECONDS) -> None:
        self._read, self._every = read, every_seconds
        self._newest: T | None = None
        self._news = asyncio.Event()
        self._viewers = 0
        self._reader: asyncio.Task[None] | None = None

    @property
    def viewers(self) -> int:
        """How many are looking."""
        return self._viewers

    @property
    def reads(self) -> bool:
        """Whether the mesh is being asked again and again."""
        return self._reader is not None

    async def readings(self) -> AsyncGenerator[T]:
        """The reading now, and each newer one. Close the iterator to stop looking."""
        self._viewers += 1
        self._reader = self._reader or asyncio.create_task(self._go_on())
        try:
            while True:
                news, newest = self._news, self._newest
                if newest is not None:
                    yield newest
                if news is self._news:
                    await self._either(news)
        finally:
            self._viewers -= 1
            if not self._viewers:
                await self._rest()

    async def _either(self, news: asyncio.Event) -> None:
        """Wait for news; a reader that has failed is a fault of ours, and raised here."""
        assert self._reader
        waiting = asyncio.ensure_future(news.wait())
        await asyncio.wait({waiting, self._reader}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self._reader and self._reader.done():
            self._reader.result()

    async def _go_on(self) -> None:
        while True:
            self._newest = await self._read()
            news, self._news = self._news, asyncio.Event()
            news.set()
            await asyncio.sleep(self._every)

    async def _rest(self) -> None:
        reader, self._reader, self._newest = self._reader, None, None
        if reader:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
