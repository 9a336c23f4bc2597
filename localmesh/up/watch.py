"""Saved files, as they are saved: each when it is whole, and those together that are saved together.

A save has steps: an editor writes in several goes, or takes the old file away before it puts a new one in its place.
What was begun is waited for: that who holds a file open for writing closes it, that one which is gone comes back, that
one which was emptied is filled. What cannot be seen is that somebody has closed a file and will write more to it later.
"""

import asyncio
import stat
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import TypeVar

from localmesh.errors import MeshError
from localmesh.manifests.files import is_meant
from localmesh.up.inotify import Inotify
from localmesh.up.polling import Polling
from localmesh.up.step import Step

T = TypeVar("T")

# A save of several files has its next file begun within this: no longer than the first takes to be read.
TOGETHER_SECONDS = 0.001
# After its last step, a save whose end nobody tells is over: a removed file does not come back.
UNFINISHED_SECONDS = 0.3
# So long a writer may pause who holds a file open, or who has emptied it: then it counts as what it says.
WRITING_SECONDS = 10.0
POLL_SECONDS = 0.02


class Watch:
    """The saves of some paths (files, and folders with all below) from its making on: so watch first, then read."""

    def __init__(
        self, paths: Iterable[Path], *, poll: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`poll`: look at the files again and again, also where the system would tell of them. `clock`: in seconds."""
        watched = tuple(path.resolve() for path in paths)
        self._source = Polling(watched, _is_wanted) if poll else _source(watched)
        self._saved: set[Path] = set()
        self._begun: dict[Path, tuple[Step, float]] = {}  # and not whole yet: the last step, and until when it counts
        self._steps = 0
        self._clock = clock
        self._last_step = 0.0
        self._stirred = asyncio.Event()
        if isinstance(self._source, Inotify):
            asyncio.get_running_loop().add_reader(self._source.descriptor, self._look)

    def close(self) -> None:
        """Watch no more."""
        if isinstance(self._source, Inotify):
            asyncio.get_running_loop().remove_reader(self._source.descriptor)
        self._source.close()

    async def saves(self) -> AsyncIterator[frozenset[Path]]:
        """The files that were written, made or removed, save by save."""
        while True:
            await self.something()
            await self._quiet(0)
            saved, self._saved = frozenset(self._saved), set()
            yield saved

    async def whole(self, read: Callable[[], T]) -> T:
        """What `read` makes of the files while nobody saves any of them. Raises what it raises then."""
        while True:
            await self._quiet(0)
            steps, failed = self._steps, None
            try:
                made = read()
            except MeshError as error:
                failed = error
            await self._quiet(TOGETHER_SECONDS)  # most of this has gone by with reading
            if self._steps == steps:
                if failed:
                    raise failed
                return made

    async def something(self) -> None:
        """Return when there is a save that `saves` has not told of."""
        while not self._saved:
            await self._stir()

    @property
    def steps(self) -> int:
        """How many steps of saves were seen."""
        return self._steps

    async def step_after(self, steps: int) -> None:
        """Return when more than these are seen."""
        while self._steps <= steps:
            await self._stir()

    async def _stir(self, within: float | None = None) -> None:
        """Return when something may have been saved, or so many seconds are over."""
        self._stirred.clear()
        try:
            async with asyncio.timeout(within if isinstance(self._source, Inotify) else POLL_SECONDS):
                await self._stirred.wait()
        except TimeoutError:
            self._look()

    async def _quiet(self, together: float) -> None:
        """Return when no save is under way, and the last is as many seconds ago."""
        while (rest := self._rest(together)) > 0:
            await self._stir(min(rest, POLL_SECONDS))
        self._begun.clear()

    def _rest(self, together: float) -> float:
        """Seconds until what was begun counts as done, if nothing more is done."""
        self._look()
        ends = (until for _, until in self._begun.values())
        return max(self._last_step + together, *ends, 0.0) - self._clock()

    def _look(self) -> None:
        for path, step in self._source.touched():
            self._saved.add(path)
            self._steps, self._last_step = self._steps + 1, self._clock()
            self._begin(path, step)
        if self._saved:
            self._stirred.set()

    def _begin(self, path: Path, step: Step) -> None:
        before, _ = self._begun.pop(path, (None, 0.0))
        is_new = before is Step.MADE or (before is None and step is Step.MADE)  # then it says no less than before
        if not is_new and step is not Step.GONE and _is_empty(path):
            step = Step.OPEN
        if step is not Step.WHOLE:
            lasts = WRITING_SECONDS if step is Step.OPEN else UNFINISHED_SECONDS
            self._begun[path] = step, self._last_step + lasts


def _is_wanted(file: Path) -> bool:
    return is_meant(file.name)


def _is_empty(path: Path) -> bool:
    try:
        known = path.stat()
    except OSError:
        return False  # gone meanwhile: that is told next
    return stat.S_ISREG(known.st_mode) and known.st_size == 0


def _source(paths: tuple[Path, ...]) -> Inotify | Polling:
    if sys.platform == "linux":
        try:
            return Inotify(paths, _is_wanted)
        except OSError:
            pass  # no more watches: fs.inotify.max_user_watches
    return Polling(paths, _is_wanted)
