"""Real folders for real processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from localmesh.runtime import dirs as folders
from localmesh.runtime.dirs import Dirs


@pytest.fixture
def dirs(tmp_path: Path) -> Iterator[Dirs]:
    """A mesh's folders, held for one test; what a failed test left running is ended."""
    mine = folders.of(tmp_path / "mesh")
    with folders.held(mine):
        yield mine
    with folders.held(mine):
        pass
