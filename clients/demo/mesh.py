"""What the tour asks of whoever operates the mesh: the pods, the death of one, and where the policies are."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from clients.failure import Failure


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod as its operator sees it; `name` is namespace/name."""

    name: str
    address: str
    state: str
    ready: bool
    restarts: int


class Mesh(Protocol):
    """The mesh on this machine (`local`) or on a cluster (`cluster`). Every method raises Failure if there is none."""

    async def pods(self) -> list[Pod]:
        """The pods of the running mesh."""

    async def kill(self, name: str) -> None:
        """SIGKILL for the pod's program."""

    async def policy_file(self, name: str) -> Path:
        """A file below the folders that the mesh was started with."""

    async def saved(self) -> None:
        """An edited policy file is put in force, where nobody watches it."""


async def pod(mesh: Mesh, name: str) -> Pod:
    """One pod. Raises Failure if it is not there."""
    for one in await mesh.pods():
        if one.name == name:
            return one
    raise Failure(f"there is no pod {name}")


async def replica(mesh: Mesh, workload: str) -> Pod:
    """The first pod of namespace/workload that is ready. Raises Failure if there is none."""
    for one in sorted(await mesh.pods(), key=lambda pod: pod.name):
        if one.ready and one.name.startswith(f"{workload}-"):
            return one
    raise Failure(f"no pod of {workload} is ready")
