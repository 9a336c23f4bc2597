"""Logs are kept short: what has grown too long is moved to `<log>.1`, so that two such files are the most there is."""

import asyncio
import contextlib
import os
import shutil
from pathlib import Path

MOST_BYTES = 16 * 1024 * 1024
EVERY_SECONDS = 10.0


async def trimming(folder: Path) -> None:
    """Look at all logs of a folder every few seconds, for ever: those of every pod, and of the mesh itself."""
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        await asyncio.to_thread(trim_all, folder)


def trim_all(folder: Path, most_bytes: int = MOST_BYTES) -> None:
    """Trim every `*.log` in the folder."""
    for log in folder.glob("*.log"):
        trim(log, most_bytes)


def trim(log: Path, most_bytes: int = MOST_BYTES) -> None:
    """Move a log that has grown past `most_bytes` to `<log>.1`. Its writer goes on at the start (O_APPEND).

    Lines that are written while the copy is made can be lost: the price of a log that costs us nothing per line. So can
    all of it where there is no room for a copy: then the log is what takes the room.
    """
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > most_bytes:
            with contextlib.suppress(OSError):
                shutil.copyfile(log, log.with_name(f"{log.name}.1"))
            os.truncate(log, 0)
