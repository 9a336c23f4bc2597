"""The mesh after a fault: a test that makes one leaves the mesh whole, for itself and for the test after it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.kit import Limit, eventually
from tests.mesh.backend import Mesh


@asynccontextmanager
async def recovering(mesh: Mesh, *ended: str) -> AsyncIterator[None]:
    """Inside, a program of each of these pods is ended. Returns when each was started again and every pod is ready.

    A pod that was just killed may be called ready for a moment yet, so it is its restarts that tell.
    """
    restarts = {info.name: info.restarts for info in await asyncio.to_thread(mesh.pods)}
    yield

    async def whole() -> bool:
        pods = {info.name: info for info in await asyncio.to_thread(mesh.pods)}
        again = all(pods[name].restarts > restarts[name] for name in ended)
        return again and all(info.ready for info in pods.values())

    await eventually(whole, within=Limit.RECOVERED, what=f"every pod is ready again, {' and '.join(ended)} too")
