"""A mesh of a bench's own: a copy of deploy/ on a free port, in folders that are gone afterwards."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.edits import edit
from bench.processes import ROOT, free_port

EXPOSED = "127.0.0.1:8080"
UP_SECONDS = 180


@dataclass(frozen=True, slots=True)
class OwnMesh:
    """Where it is, and its command line."""

    deploy: Path
    state: Path
    gateway: str

    def command(self, *words: str) -> str:
        """`localmesh …`: what it printed. Raises CalledProcessError, with the complaint in stderr."""
        line = [sys.executable, "-m", "localmesh", "--state", str(self.state), *words]
        return subprocess.run(line, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True, timeout=UP_SECONDS).stdout

    def edit(self, name: str, old: str, new: str, *, times: int = 1) -> None:
        """Change a file of its deploy/, which holds `old` so many times. Raises ValueError if it does not."""
        edit(self.deploy / name, old, new, times=times)

    def sample(self) -> None:
        """Before it starts: one call in a hundred is traced, as in production."""
        self.edit("istio/telemetry.yaml", "randomSamplingPercentage: 100", "randomSamplingPercentage: 1")

    def up(self) -> None:
        """Start it; returns when every pod is ready."""
        self.command("up", str(self.deploy), "--json")

    def down(self) -> None:
        """Stop it; its data stays."""
        self.command("down")

    def status(self) -> dict[str, Any]:
        """`status --json`."""
        found: dict[str, Any] = json.loads(self.command("status", "--json"))
        return found

    @property
    def log(self) -> Path:
        """Where the control plane writes."""
        return self.state / "logs" / "localmesh.log"


@contextmanager
def own_mesh() -> Iterator[OwnMesh]:
    """Not started yet. At the end, however the bench ends, no process and no file of it is left."""
    folder = Path(tempfile.mkdtemp(prefix="localmesh-bench-"))
    try:
        shutil.copytree(ROOT / "deploy", folder / "deploy")
        gateway = f"127.0.0.1:{free_port()}"
        edit(folder / "deploy" / "local.yaml", EXPOSED, gateway)
        mesh = OwnMesh(folder / "deploy", folder / "state", gateway)
        try:
            yield mesh
        finally:
            mesh.command("clean")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
