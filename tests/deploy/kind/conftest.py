"""A PATH of played programs, and what was called."""

import marshal
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from deploy.kind.settings import Settings

PROGRAMS = Path(__file__).parent / "programs.py"


@dataclass(frozen=True)
class World:
    """The played world: what the programs find, what they did, and what a person was told."""

    path: Path
    folder: Path
    told: list[str] = field(default_factory=list)

    def set(self, **facts: Any) -> None:
        """Facts of the world."""
        self.path.write_bytes(marshal.dumps(self.read() | facts))

    def read(self) -> dict[str, Any]:
        """All that it holds."""
        world: dict[str, Any] = marshal.loads(self.path.read_bytes())
        return world

    def calls(self, *starts: str) -> list[str]:
        """What was called, in order; only what begins with one of these words if there are any."""
        calls: list[str] = self.read().get("calls", [])
        return [call for call in calls if not starts or call.startswith(starts)]

    def forget(self) -> None:
        """The calls so far."""
        self.set(calls=[])

    def without(self, program: str) -> None:
        """The program is not on PATH."""
        (self.folder / program).unlink()

    @property
    def text(self) -> str:
        """What was told."""
        return "\n".join(self.told)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Nothing but the played programs on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for program in ("docker", "kind", "kubectl", "istioctl"):
        script = folder / program
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S -E "{PROGRAMS}" {program} "$@"\n')
        script.chmod(0o755)
    path = tmp_path / "world"
    path.write_bytes(marshal.dumps({}))
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("WORLD", str(path))
    yield World(path, folder)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A cluster called test, and a repository whose build folder is nobody else's."""
    monkeypatch.setattr(Settings, "work", property(lambda _: tmp_path / "work"))
    environ = {name: value for name, value in os.environ.items() if name not in {"CLUSTER", "SKIP_PULL"}}
    return Settings.read(environ | {"CLUSTER": "test"})
