"""A program run with a time limit: its output kept, or shown as it comes; a failure says which command and why."""

import os
import shlex
import signal
import subprocess
from collections.abc import Sequence

from deploy.kind.settings import ROOT

# How much of what a program said is worth repeating when it fails.
_LINES = 25
# An image is then the same as long as its content is: attestations carry the time.
_ENVIRONMENT = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}


class Failed(Exception):
    """A step that did not succeed; the text is for a person."""


class NotInstalled(Failed):
    """A program that is not on PATH."""


def output(command: Sequence[str], *, limit: float, stdin: str | None = None) -> str:
    """What the command wrote to stdout. Raises Failed if its status is not 0 or it runs longer than `limit` seconds."""
    return _run(command, limit, stdin, shown=False)


def show(command: Sequence[str], *, limit: float) -> None:
    """Run the command with its output on the terminal. Raises Failed as `output` does."""
    print(f"    $ {shlex.join(command)}", flush=True)
    _run(command, limit, None, shown=True)


def succeeds(command: Sequence[str], *, limit: float) -> bool:
    """Whether the command exits with 0 in time."""
    try:
        output(command, limit=limit)
    except Failed:
        return False
    return True


def _run(command: Sequence[str], limit: float, stdin: str | None, *, shown: bool) -> str:
    pipe = None if shown else subprocess.PIPE
    try:
        process = subprocess.Popen(
            list(command),
            cwd=ROOT,
            env={**os.environ, **_ENVIRONMENT},
            text=True,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=pipe,
            stderr=pipe,
            # Its children end with it: docker and istioctl have some.
            start_new_session=True,
        )
    except FileNotFoundError:
        raise NotInstalled(f"{command[0]} is not on PATH\n  try: make doctor") from None
    try:
        out, err = process.communicate(stdin, timeout=limit)
    except subprocess.TimeoutExpired:
        _end(process)
        raise Failed(f"not done after {limit:g} s: {shlex.join(command)}") from None
    except BaseException:  # Ctrl-C: what we started ends with us
        _end(process)
        raise
    if process.returncode:
        said = "\n".join(f"  {line}" for line in f"{err or ''}{out or ''}".strip().splitlines()[-_LINES:])
        raise Failed(f"{shlex.join(command)} failed with status {process.returncode}" + (f":\n{said}" if said else ""))
    return out or ""


def _end(process: "subprocess.Popen[str]") -> None:
    """SIGTERM to the whole group, SIGKILL ten seconds later."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(timeout=10)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
        return
