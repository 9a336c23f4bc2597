"""Programs of a bench: started, waited for, ended by their own process id."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STARTED_SECONDS = 30.0
ENDED_SECONDS = 20.0


@contextmanager
def folder() -> Iterator[Path]:
    """A folder with a short path (that of a Unix socket has 107 bytes at most), gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="b", dir="/tmp", ignore_cleanup_errors=True) as name:
        yield Path(name)


@contextmanager
def running(
    line: Sequence[str | Path], *, accepts: str, environ: Mapping[str, str] | None = None, log: Path
) -> Iterator[int]:
    """A program's process id, once it accepts connections at `host:port` or `unix:/path`; ended afterwards.

    What it writes goes to `log`. Raises RuntimeError with the end of that if it does not start.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            line, cwd=ROOT, env={**os.environ, **(environ or {})}, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        _wait(process, accepts, log)
        yield process.pid
    finally:
        ended(process)


def ended(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> None:
    """Ends it, by force if it does not end in time."""
    process.send_signal(how)
    try:
        process.wait(ENDED_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(ENDED_SECONDS)


def python(module: str, *words: str) -> list[str]:
    """The command line of a module of this repository."""
    return [sys.executable, "-m", module, *words]


def free_port() -> int:
    """Below the range that the kernel hands out, and away from the tests'."""
    for port in range(18400, 18600):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port from 18400 to 18599")


def _wait(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    end = time.monotonic() + STARTED_SECONDS
    while not _accepts(address):
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"{process.args!r} does not answer at {address}:\n{log.read_text()[-2000:]}")
        time.sleep(0.02)


def _accepts(address: str) -> bool:
    unix = address.startswith("unix:")
    with socket.socket(socket.AF_UNIX if unix else socket.AF_INET) as probe:
        host, _, port = address.rpartition(":")
        return probe.connect_ex(address.removeprefix("unix:") if unix else (host, int(port))) == 0
