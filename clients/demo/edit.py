"""A policy changed in its file, and in force a moment later. The file is given back as it was, whatever happens."""

import difflib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from clients.channel import Gateway
from clients.demo import calls
from clients.demo.mesh import Mesh
from clients.demo.story import Story
from clients.demo.weights import Weights, all_to

# Under the old weights so many in a row would be a matter of one in 10^20.
_IN_A_ROW = 20
_LIMIT_SECONDS = 15.0


async def in_force(story: Story, gateway: Gateway, mesh: Mesh, user_id: str, policy: Path) -> None:
    """All traffic to the canary, and back."""
    before = _read(policy)
    text = before.decode()
    subset = Weights.of(text).least()
    edited = all_to(text, subset)
    for line in _diff(text, edited):
        story.say(line)
    try:
        with changed(policy, edited.encode()):
            await mesh.saved()
            seconds = await _seconds_until(gateway, user_id, _IN_A_ROW, lambda version: version == subset)
            _tell(story, f"the file is saved, and every call goes to {subset}", seconds)
    finally:
        await mesh.saved()
    seconds = await _seconds_until(gateway, user_id, 1, lambda version: version != subset)
    _tell(story, "the file is as it was, and so are the calls", seconds)
    story.hold(_read(policy) == before, f"{policy.name} was given back byte for byte", f"{len(before)} bytes")


@contextmanager
def changed(path: Path, content: bytes) -> Iterator[None]:
    """The file with another content, until the end of the `with`, however that ends."""
    before = _read(path)
    try:
        _save(path, content)
        yield
    finally:
        _save(path, before)


def _read(path: Path) -> bytes:
    return path.read_bytes()


def _save(path: Path, content: bytes) -> None:
    """Whole or not at all: whoever watches the file never reads half of it."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    shutil.copymode(path, temporary)
    Path(temporary).replace(path)


async def _seconds_until(gateway: Gateway, user_id: str, in_a_row: int, wanted: Callable[[str], bool]) -> float | None:
    """How long until the first of so many answers in a row of a wanted version; None if that takes too long."""
    begun = time.monotonic()
    row: list[float] = []
    while time.monotonic() - begun < _LIMIT_SECONDS:
        answer = await calls.answered(gateway, user_id)
        row = [*row, answer.at] if wanted(answer.version) else []
        if len(row) == in_a_row:
            return row[0] - begun
    return None


def _tell(story: Story, promise: str, seconds: float | None) -> None:
    seen = f"nothing for {_LIMIT_SECONDS:.0f} s" if seconds is None else f"after {seconds * 1000:.0f} ms"
    story.hold(seconds is not None, promise, seen)


def _diff(before: str, after: str) -> Iterator[str]:
    """The lines that differ, with what they were."""
    for line in difflib.unified_diff(before.splitlines(), after.splitlines(), n=1, lineterm=""):
        if not line.startswith(("---", "+++", "@@")):
            yield line
