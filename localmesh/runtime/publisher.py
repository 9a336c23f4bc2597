"""Tells others of changes: one telling at a time, which covers all that changed before it began."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)


class Publisher:
    """`tell` is called some time after `changed`, while `run` runs; `known` waits until it has returned."""

    def __init__(self, tell: Callable[[], Awaitable[None]]) -> None:
        self._tell = tell
        self._changes = self._told = 0
        self._moved = asyncio.Condition()
        self._wake = asyncio.Event()

    def changed(self) -> None:
        """There is something to tell."""
        self._changes += 1
        self._wake.set()

    async def known(self, *, within: float) -> bool:
        """Wait until all that has changed until now was told. False if it is not, `within` seconds."""
        changes = self._changes
        try:
            async with asyncio.timeout(within), self._moved:
                await self._moved.wait_for(lambda: self._told >= changes)
        except TimeoutError:
            return False
        return True

    async def run(self) -> None:
        """Tell, for ever. A telling that fails is logged, and is not told again until something else changes."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            changes = self._changes
            try:
                await self._tell()
            except Exception:
                log.exception("a change of the pods could not be told")
            async with self._moved:
                self._told = changes
                self._moved.notify_all()
