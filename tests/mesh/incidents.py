"""Calls that fail on purpose, and where the mesh has written down why."""

import asyncio
import uuid
from dataclasses import dataclass, field
from typing import Any

import grpc

from tests.kit import Limit, eventually
from tests.mesh.backend import Mesh
from tests.mesh.catalogue import Entry
from tests.mesh.conftest import Lab
from tests.mesh.logs import Line, lines

CALLER, CALLED = "lab/caller-0", "lab/echo-v2-0"


@dataclass(slots=True)
class Incident:
    """Calls of one entry, by the names of their methods, and how they ended."""

    mesh: Mesh
    lab: Lab
    entry: Entry
    ends: dict[str, str] = field(default_factory=dict)

    async def call(
        self,
        case: str = "well",
        request: dict[str, Any] | None = None,
        *,
        method: str = "Call",
        at_once: int = 1,
        deadline: float = 20,
        token: str = "",
    ) -> None:
        """caller calls echo under this case, each call by a name of its own that begins with `method`."""

        async def one() -> None:
            name = f"{method}{uuid.uuid4().hex}"
            headers = {"x-lab-case": case} | ({"authorization": f"Bearer {token}"} if token else {})
            try:
                await self.lab.call(request or {}, method=name, headers=headers, deadline=deadline)
                self.ends[name] = "OK"
            except grpc.aio.AioRpcError as error:
                self.ends[name] = error.code().name

        await asyncio.gather(*(one() for _ in range(at_once)))

    async def is_logged(self, where: str = "") -> bool:
        """Whether a line of these calls says what the entry says; that call has ended as the entry says.

        It is a line of the proxy that the entry names, or of the pod `where`.
        """
        pod = where or {"the caller's proxy": CALLER, "the called pod's proxy": CALLED}[self.entry.where]
        for line in await written(self.mesh, pod):
            name = str(line.get("method")).rpartition("/")[2]
            if name in self.ends and self.entry.is_told_by(line):
                assert self.ends[name] == self.entry.seen
                return True
        return False

    async def happens(self, **call: Any) -> None:
        """Make such calls until one is logged as the entry says."""

        async def once() -> bool:
            await self.call(**call)
            return await self.is_logged()

        await eventually(once, within=Limit.STARTED, what=f"{self.entry.title} in the log")


async def written(mesh: Mesh, *pods: str) -> list[Line]:
    """What these pods have written."""
    return [line for pod in pods for line in lines(await asyncio.to_thread(mesh.logs, pod))]


async def told(mesh: Mesh, entry: Entry, pod: str, since: int = 0, method: str = "") -> None:
    """Wait for the entry's line among a pod's after the first `since`, of a call whose path contains `method`."""

    async def once() -> bool:
        new = (await written(mesh, pod))[since:]
        return any(entry.is_told_by(line) and method in (line.get("method") or "") for line in new)

    await eventually(once, what=f"{entry.title} in the log of {pod}")
