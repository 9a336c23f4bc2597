"""The file that the tour edits is given back, whatever happens."""

import asyncio
from pathlib import Path

import pytest

from clients.demo.edit import changed


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "user.yaml"
    path.write_bytes(b"before\r\n")
    path.chmod(0o640)
    return path


def held(path: Path) -> tuple[bytes, int, int]:
    """Its content and mode, and how many files are beside it."""
    return path.read_bytes(), path.stat().st_mode & 0o777, len(list(path.parent.iterdir()))


def test_the_change_lasts_as_long_as_the_with(policy: Path) -> None:
    with changed(policy, b"after"):
        assert held(policy) == (b"after", 0o640, 1)
    assert held(policy) == (b"before\r\n", 0o640, 1)


def test_an_error_gives_it_back(policy: Path) -> None:
    with pytest.raises(ZeroDivisionError), changed(policy, b"after"):
        raise ZeroDivisionError
    assert held(policy) == (b"before\r\n", 0o640, 1)


async def test_a_cancelled_task_gives_it_back(policy: Path) -> None:
    """Which is what Ctrl-C and SIGTERM do to the tour."""
    inside = asyncio.Event()

    async def edit() -> None:
        with changed(policy, b"after"):
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(edit())
    await inside.wait()
    assert held(policy)[0] == b"after"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert held(policy) == (b"before\r\n", 0o640, 1)
