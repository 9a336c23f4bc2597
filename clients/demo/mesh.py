"""What the tour asks of `localmesh`, by its command line and nothing else."""

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from clients import keys
from clients.failure import Failure


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod as `localmesh status --json` has it; `name` is namespace/name."""

    name: str
    address: str
    state: str
    ready: bool
    restarts: int


async def pods() -> list[Pod]:
    """The pods of the running mesh. Raises Failure with localmesh's own words if there is none."""
    status = json.loads(await _localmesh("status", "--json"))
    return [
        Pod(f"{pod['namespace']}/{pod['name']}", pod["address"], pod["state"], pod["ready"], pod["restarts"])
        for pod in status["pods"]
    ]


async def pod(name: str) -> Pod:
    """One pod. Raises Failure if it is not there."""
    for one in await pods():
        if one.name == name:
            return one
    raise Failure(f"there is no pod {name}")


async def policy_file(name: str) -> Path:
    """The file below one of the folders that the mesh was started with. Raises Failure if none has it."""
    folders = [Path(path) for path in json.loads(await _localmesh("status", "--json"))["paths"]]
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    raise Failure(f"the mesh was started without {name}: it runs {', '.join(map(str, folders))}")


async def kill(name: str) -> None:
    """SIGKILL for the pod's program."""
    await _localmesh("kill", name)


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
