"""Saved files, as they are saved."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import watchfiles

SUFFIXES = frozenset({".yaml", ".yml", ".json"})
# Editors save a file in a few steps: rename, create, set times. Long enough for one save, too short to be felt.
DEBOUNCE_MS = 10
STEP_MS = 5


async def saves(paths: Iterable[Path], stop: asyncio.Event) -> AsyncIterator[frozenset[Path]]:
    """The files of `paths` (files, and folders with all below) that were written, made or removed, save by save."""
    watched = [path.resolve() for path in paths]
    # A file is watched through its folder, because editors put a new file in its place.
    folders = {path if path.is_dir() else path.parent for path in watched}

    def is_ours(_change: watchfiles.Change, path: str) -> bool:
        return Path(path).suffix in SUFFIXES and any(Path(path).is_relative_to(one) for one in watched)

    async for changes in watchfiles.awatch(
        *folders, watch_filter=is_ours, debounce=DEBOUNCE_MS, step=STEP_MS, stop_event=stop
    ):
        yield frozenset(Path(path) for _, path in changes)
