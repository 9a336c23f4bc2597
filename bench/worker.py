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
from typing import Any, Protocol

from bench.figures import percentile
from bench.processes import ROOT, ended, python
from bench.rounds import Sample


class Told(Protocol):
    """Tells the worker to make a burst, and returns what it measured."""

    def __call__(self, **what: Any) -> Sample: ...


@contextmanager
def worker(module: str, *words: str) -> Iterator[Told]:
    """Starts it; it is ready when its first burst is answered. Raises RuntimeError if it fails."""
    process = subprocess.Popen(python(module, *words), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    told, tells = process.stdin, process.stdout

    def burst(**what: Any) -> Sample:
        told.write(json.dumps(what).encode() + b"\n")
        told.flush()
        line = tells.readline()
        if not line:
            raise RuntimeError(f"{module} {' '.join(words)} has ended with {process.wait()}")
        return Sample(**json.loads(line))

    try:
        yield burst
    finally:
        ended(process)
        told.close()
        tells.close()


async def serve(burst: Callable[..., Awaitable[Sample]]) -> None:
    """The worker's side: a burst for each line of stdin, until it ends."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(asdict(await burst(**json.loads(line)))), flush=True)


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
