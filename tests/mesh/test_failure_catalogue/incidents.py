"""Calls that fail on purpose, and where the mesh has written down why."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc

from tests.kit import Limit, eventually
from tests.mesh.backend import Mesh
from tests.mesh.conftest import Lab
from tests.mesh.logs import Line, lines
from tests.mesh.test_failure_catalogue.catalogue import Entry

CALLED, EDGE = "lab/echo-v2-0", "lab/edge-0"
WHERE = {"the caller's proxy": "lab/caller-0", "the called pod's proxy": CALLED, "the gateway's proxy": EDGE}
LONG = 60  # seconds that echo takes over a call which something else shall end


@dataclass(slots=True)
class Incident:
    """Calls of one entry, by the names of their methods, and how they ended."""

    mesh: Mesh
    lab: Lab
    entry: Entry
    ends: dict[str, str] = field(default_factory=dict)

    async def call(
        self, case: str = "well", request: dict[str, Any] | None = None, *, method: str = "Call", token: str = ""
    ) -> None:
        """caller calls echo under this case, by a name that begins with `method` and is this call's own."""
        name = f"{method}{uuid.uuid4().hex}"
        headers = {"x-lab-case": case} | ({"authorization": f"Bearer {token}"} if token else {})
        try:
            await self.lab.call(request or {}, method=name, headers=headers)
            self.ends[name] = "OK"
        except grpc.aio.AioRpcError as error:
            self.ends[name] = error.code().name
        except asyncio.CancelledError:
            self.ends[name] = "CANCELLED"
            raise

    @asynccontextmanager
    async def held(self, case: str = "well") -> AsyncIterator["asyncio.Task[None]"]:
        """A call that has come to echo, which does not answer; it is cancelled at the end.

        Before it goes one that is answered: where a policy of a test before was taken back, a proxy lets the
        connections to its old listener go with their next call, and cuts those that are left.
        """
        key = uuid.uuid4().hex
        await self.lab.call({}, headers={"x-lab-case": "well"})
        calling = asyncio.create_task(self.call(case, {"key": key, "delay": LONG}))
        try:
            await arrived(self.lab, key)
            yield calling
        finally:
            calling.cancel()
            await asyncio.gather(calling, return_exceptions=True)

    async def is_logged(self, where: str = "") -> bool:
        """Whether the log has the entry's line, of one of these calls that has ended as the entry says.

        It is the log of the proxy that the entry names, or of the pod `where`.
        """
        written = await proxied(self.mesh, where or WHERE[self.entry.where])
        told = {str(line.get("method")).rpartition("/")[2] for line in written if self.entry.is_told_by(line)}
        return any(self.ends.get(name) == self.entry.seen for name in told)

    async def happens(self, **call: Any) -> None:
        """Make such calls until one is logged as the entry says."""

        async def once() -> bool:
            await self.call(**call)
            return await self.is_logged()

        await eventually(once, within=Limit.STARTED, what=f"{self.entry.title} in the log")


async def arrived(lab: Lab, key: str) -> None:
    """Wait until a call with this key is at echo."""

    async def once() -> bool:
        return bool((await lab.call({"key": key, "peek": True}, headers={"x-lab-case": "well"}))["calls"])

    await eventually(once, what="the call is there")


async def written(mesh: Mesh, *pods: str) -> list[Line]:
    """What these pods have written."""
    return [line for pod in pods for line in lines(await asyncio.to_thread(mesh.logs, pod))]


async def proxied(mesh: Mesh, pod: str) -> list[Line]:
    """What a pod's proxy has written of calls and connections."""
    return [line for line in await written(mesh, pod) if line.get("event") == "proxied"]


async def told(mesh: Mesh, entry: Entry, pod: str, since: int = 0, method: str = "") -> None:
    """Wait for the entry's line among those of a proxy after the first `since`, of a call of this path.

    The path contains `method`; lines of connections have none.
    """

    async def once() -> bool:
        new = (await proxied(mesh, pod))[since:]
        return any(entry.is_told_by(line) and method in (line.get("method") or "") for line in new)

    await eventually(once, what=f"{entry.title} in the log of {pod}")
