"""What a test run leaves behind is ended with it, however it ends: nobody runs a `finally` after kill -9."""

import os
import shlex
import subprocess
from pathlib import Path

from tests.kit import Limit

# Its input ends when the last who could write to it is gone, or closes it. What it will run is not among its words: by
# those a test finds what a mesh has left.
_WHEN_ALONE = 'read -r _; eval "exec $AFTERWARDS"'


class Ending:
    """A command that waits until this process ends, be it by kill -9, or asks for it."""

    def __init__(self, *command: str, cwd: Path) -> None:
        self._waiting = subprocess.Popen(
            ["sh", "-c", _WHEN_ALONE],
            cwd=cwd,
            env=os.environ | {"AFTERWARDS": shlex.join(command)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def now(self) -> None:
        """Let the command run, and wait for its end. Raises RuntimeError with what it said if it fails."""
        said, _ = self._waiting.communicate(timeout=Limit.RECOVERED.value)
        if self._waiting.returncode:
            raise RuntimeError(said)
