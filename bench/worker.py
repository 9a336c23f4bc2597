"""A contender in a process of its own: it makes a burst whenever it is told to, and measures its own CPU.

python -m bench.get_worker stock …   # main() calls serve(burst)
with worker("bench.get_worker", "stock") as burst:
    sample = burst(calls=1000, in_flight=16)
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from bench.figures import percentile
from bench.processes import ROOT, STARTED_SECONDS, ended, python
from bench.rounds import Sample
from services.common.errors import Unavailable
from services.common.postgres import Database


class Worker:
    """A running worker. Call it to have a burst made."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None and process.stdout is not None
        self.pid = process.pid
        self._process = process
        self._told, self._tells = process.stdin, process.stdout

    def __call__(self, **what: Any) -> Sample:
        """What the burst was. Raises RuntimeError if the worker has ended."""
        self._told.write(json.dumps(what).encode() + b"\n")
        self._told.flush()
        line = self._tells.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} has ended with {self._process.wait()}")
        return Sample(**json.loads(line))

    def end(self) -> None:
        """Ends the process."""
        ended(self._process)
        self._told.close()
        self._tells.close()


@contextmanager
def worker(module: str, *words: str) -> Iterator[Worker]:
    """Starts it; it is ready when its first burst is answered."""
    process = subprocess.Popen(python(module, *words), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    started = Worker(process)
    try:
        yield started
    finally:
        started.end()


async def serve(burst: Callable[..., Awaitable[Sample]]) -> None:
    """The worker's side: a burst for each line of stdin, until it ends."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(asdict(await burst(**json.loads(line)))), flush=True)


async def answers(database: Database) -> None:
    """Returns when the database is there and migrated."""
    async with asyncio.timeout(STARTED_SECONDS):
        while True:
            try:
                return await database.check()
            except Unavailable:
                await asyncio.sleep(0.01)


async def timed(each: Callable[[int], Awaitable[None]], *, calls: int, in_flight: int) -> Sample:
    """Calls `each` with 0, 1, 2 … from so many tasks at once; the CPU is that of this process."""
    numbers = iter(range(calls))
    took: list[float] = []

    async def caller() -> None:
        for number in numbers:
            begun = time.perf_counter()
            await each(number)
            took.append(time.perf_counter() - begun)

    begun, used = time.perf_counter(), time.process_time()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(in_flight):
            tasks.create_task(caller())
    return sample(took, time.perf_counter() - begun, time.process_time() - used)


def sample(took: Sequence[float], seconds: float, cpu_seconds: float) -> Sample:
    """A burst whose calls took so many seconds each."""
    return Sample(len(took), seconds, cpu_seconds, percentile(took, 50) * 1000, percentile(took, 99) * 1000)
