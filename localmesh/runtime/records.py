"""A record of each process that runs, so that what a crashed run left behind can be ended, and nothing else.

A record is a file named by the process' number that holds when it started. A number is used again for other
processes, a number with its start time is not.
"""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

from localmesh.errors import MeshError

PROC = Path("/proc/self/stat")  # of Linux; elsewhere ps(1) is asked
_GONE_WITHIN = 10.0  # seconds; after SIGKILL only a process in uninterruptible sleep takes longer


def started(pid: int) -> str:
    """When the process started, in words that mean something to this machine only; "" if it does not run."""
    if PROC.exists():
        try:
            # The name, in brackets, may hold blanks and brackets itself. Fields 3 and 22 of proc_pid_stat(5).
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return ""
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return "" if fields[0] in {"Z", "X"} else f"{boot} {fields[19]}"
    said = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return said.stdout.strip()


def add(folder: Path, pid: int) -> None:
    """Remember a process that was just started."""
    (folder / str(pid)).write_text(started(pid))


def remove(folder: Path, pid: int) -> None:
    """Forget a process that has ended."""
    (folder / str(pid)).unlink(missing_ok=True)


def end_all(folder: Path) -> tuple[int, ...]:
    """End the recorded processes that still run, with their process groups, and forget all. Returns whom it ended."""
    ended = []
    for record in folder.iterdir():
        if not record.name.isdigit():
            continue
        pid, when = int(record.name), record.read_text()
        if when and started(pid) == when:
            _end(pid, when)
            ended.append(pid)
        record.unlink()
    return tuple(ended)


def _end(pid: int, when: str) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        # A pod's process leads its own group; one that has left it is not ours to guess at.
        if os.getpgid(pid) == pid:
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGKILL)
    until = time.monotonic() + _GONE_WITHIN
    while started(pid) == when:
        if time.monotonic() > until:
            raise MeshError(f"process {pid} of an earlier run does not end", f"end it: kill -9 {pid}")
        time.sleep(0.01)
