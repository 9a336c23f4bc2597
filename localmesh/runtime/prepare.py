"""The first start of a program with a data volume: a database made, its roles and databases in it, all or nothing."""

import asyncio
import contextlib

from localmesh.errors import MeshError
from localmesh.runtime import probes, process
from localmesh.runtime.podplan import Prepare
from localmesh.runtime.volumes import Mark

_STEP_WITHIN = 120.0
_SERVER_WITHIN = 60.0
_STOP_WITHIN = 30.0


async def prepare(plan: Prepare) -> None:
    """Prepare the volume if it is new, or if an earlier preparation was cut short. MeshError if a step fails."""
    mark = Mark(plan.volume)
    if not mark.begin():
        return
    for launch, stdin in plan.steps:
        await process.run(launch, stdin, within=_STEP_WITHIN)
    if plan.seed:
        await _seed(plan)
    mark.end()


async def _seed(plan: Prepare) -> None:
    plan.sockets.mkdir(mode=0o700, exist_ok=True)
    server = await process.start(plan.server)
    try:
        await _answers(plan, server)
        for launch, stdin in plan.seed:
            await process.run(launch, stdin, within=_STEP_WITHIN)
    finally:
        await server.stop(_STOP_WITHIN, plan.stop_signal)


async def _answers(plan: Prepare, server: process.Process) -> None:
    if plan.ready is None:
        return
    try:
        async with asyncio.timeout(_SERVER_WITHIN):
            while server.child.returncode is None:
                with contextlib.suppress(probes.Unwell):
                    await probes.ask(plan.ready)
                    return
                await asyncio.sleep(0.02)
    except TimeoutError:
        pass
    log = plan.server.log
    raise MeshError(f"{plan.server.command[0]} does not answer on its first start", process.tail(log) or f"see {log}")
