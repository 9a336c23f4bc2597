"""The mesh on this machine, by the command line of `localmesh` and nothing else."""

import asyncio
import json
import sys
from pathlib import Path

from clients import keys
from clients.demo.mesh import Pod
from clients.failure import Failure


class LocalMesh:
    """Implements `mesh.Mesh`; what goes wrong is told in localmesh's own words."""

    async def pods(self) -> list[Pod]:
        """As `localmesh status --json` has them."""
        status = json.loads(await _localmesh("status", "--json"))
        return [
            Pod(f"{pod['namespace']}/{pod['name']}", pod["address"], pod["state"], pod["ready"], pod["restarts"])
            for pod in status["pods"]
        ]

    async def kill(self, name: str) -> None:
        """SIGKILL for the pod's program."""
        await _localmesh("kill", name)

    async def policy_file(self, name: str) -> Path:
        """Below one of the folders that the mesh was started with."""
        folders = [Path(path) for path in json.loads(await _localmesh("status", "--json"))["paths"]]
        for folder in folders:
            if (folder / name).is_file():
                return folder / name
        raise Failure(f"the mesh was started without {name}: it runs {', '.join(map(str, folders))}")

    async def saved(self) -> None:
        """The mesh watches its files."""


async def _localmesh(*arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "localmesh", *arguments),
        cwd=keys.repository(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        said = err.decode(errors="replace").strip().removeprefix("error: ")
        raise Failure(said or f"localmesh {arguments[0]} failed")
    return out.decode()
