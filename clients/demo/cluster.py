"""The mesh on a kind cluster (`make kind-up`), by kubectl."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from clients import keys
from clients.demo.mesh import Pod
from clients.failure import Failure
from deploy.kind import commands, pods
from deploy.kind.kubectl import Kubectl

T = TypeVar("T")


class ClusterMesh:
    """Implements `mesh.Mesh` for one kubectl context."""

    def __init__(self, context: str) -> None:
        self._kubectl = Kubectl(context)

    async def reachable(self) -> bool:
        """Whether there is such a cluster with the bundle in it."""
        words = self._kubectl.words("get", "namespace", "mesh", "--request-timeout=5s")
        return await asyncio.to_thread(commands.succeeds, words, limit=15)

    async def pods(self) -> list[Pod]:
        """Those of the bundle."""
        found = await _told(lambda: pods.pods(self._kubectl, "mesh"))
        return [
            Pod(
                f"{pod.namespace}/{pod.name}",
                pod.address,
                pod.state,
                pod.ready,
                sum(container.restarts for container in pod.containers),
            )
            for pod in found
        ]

    async def kill(self, name: str) -> None:
        """SIGKILL for the pod's program, by its node."""

        def kill() -> None:
            for pod in pods.pods(self._kubectl, "mesh"):
                if f"{pod.namespace}/{pod.name}" == name and pod.app:
                    return pods.kill(pod, pod.app.name)
            raise Failure(f"there is no pod {name}")

        await _told(kill)

    async def policy_file(self, name: str) -> Path:
        """In the bundle of this repository, which the cluster was made from."""
        return keys.repository() / "deploy" / name

    async def saved(self) -> None:
        """As a person does: kubectl apply."""
        folder = keys.repository() / "deploy" / "istio"
        await _told(lambda: self._kubectl("apply", "-k", str(folder)))


async def _told(work: Callable[[], T]) -> T:
    """What it returns; what kubectl complains of is a Failure."""
    try:
        return await asyncio.to_thread(work)
    except commands.Failed as error:
        raise Failure(str(error)) from None
