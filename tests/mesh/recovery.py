"""The mesh after a fault: a test that makes one leaves the mesh whole, for itself and for the test after it."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.kit import Limit, eventually
from tests.mesh.backend import Mesh

_SPARED = re.compile(r"^envoy_cluster_outlier_detection_ejections_active\{.*\} [1-9]", re.MULTILINE)


@asynccontextmanager
async def recovering(mesh: Mesh, *ended: str) -> AsyncIterator[None]:
    """Inside, a program of each of these pods is ended. Returns when each was started again and the mesh is whole.

    So it is when every pod is ready, and no proxy spares one any more because it failed meanwhile (outlierDetection). A
    pod that was just killed may be called ready for a moment yet, so it is its restarts that tell.
    """
    restarts = {info.name: info.restarts for info in await asyncio.to_thread(mesh.pods)}
    yield

    async def whole() -> bool:
        pods = {info.name: info for info in await asyncio.to_thread(mesh.pods)}
        again = all(pods[name].restarts > restarts[name] for name in ended)
        ready = again and all(info.ready for info in pods.values())
        return ready and not _SPARED.search(await asyncio.to_thread(mesh.metrics))

    await eventually(whole, within=Limit.RECOVERED, what=f"every pod is called again, {' and '.join(ended)} too")
