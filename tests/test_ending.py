"""A process that is killed, and what is run after it."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ending import Ending
from tests.kit import eventually

ROOT = Path(__file__).resolve().parents[1]
LIVING = """
import sys
from pathlib import Path
from tests.ending import Ending
ending = Ending("touch", sys.argv[1], cwd=Path())
print("ready", flush=True)
sys.stdin.read()
"""


def test_the_command_is_run_when_the_process_is_killed_and_not_before(tmp_path: Path) -> None:
    file = tmp_path / "ended"
    words = [sys.executable, "-c", LIVING, str(file)]
    with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as living:
        assert living.stdout is not None
        living.stdout.readline()
        assert not file.exists()
        living.kill()
    asyncio.run(eventually(file.exists, what="the command is run"))


def test_what_the_command_complains_of_is_told(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="broken"):
        Ending("sh", "-c", "echo broken; exit 3", cwd=tmp_path).now()
