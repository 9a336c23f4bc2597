"""How a mesh begins: a list to be read from top to bottom, with the undo beside each line."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from localmesh.ads import DiscoveryServer
from localmesh.memo import Memo
from localmesh.observe.collector import receiving
from localmesh.observe.store import TraceStore
from localmesh.runtime import addresses, dirs
from localmesh.runtime.certs import new_authority
from localmesh.runtime.dirs import Dirs
from localmesh.runtime.wallet import Wallet
from localmesh.up import collectors, stages
from localmesh.up.host import Host
from localmesh.up.in_force import InForce
from localmesh.up.proxies import Proxies
from localmesh.up.running import RunningMesh
from localmesh.up.status import Phases
from localmesh.up.watch import Watch


@asynccontextmanager
async def running(
    paths: tuple[Path, ...], where: Dirs, ending: asyncio.Event, began: float
) -> AsyncIterator[RunningMesh]:
    """The mesh of these files, started and not yet ready; at the end of the block nothing of it is left.

    `ending` is set when the end is asked for, `began` is when the person asked for the start (Unix time).
    Raises Problems or MeshError if it cannot be started.
    """
    phases = Phases(began)
    phases.add("interpreter and imports", began, time.time())
    async with AsyncExitStack() as undo:
        undo.enter_context(dirs.held(where))
        block = addresses.claim()
        undo.callback(block.release)
        collector = collectors.chosen(os.environ, where.socket("otlp"))
        host = Host(where, block, Path.cwd(), collector)
        watch = Watch(paths)  # before the first reading, so that no save falls between the two
        undo.callback(watch.close)
        with phases.phase("load"):
            memo = Memo()
            written = stages.read(paths, memo=memo, collector=collector)
        with phases.phase("resolve and plan"):
            design = stages.designed(written, host.machine)
            host.require_free(written.local)
            host.opened(written.local)
        ads = DiscoveryServer(where.socket("ads"))
        await ads.start()
        undo.push_async_callback(ads.stop)
        traces = TraceStore()
        if collector.startswith(collectors.UNIX):
            await undo.enter_async_context(receiving(where.socket("otlp"), traces.take))
        wallet = Wallet(new_authority(design.mesh.trust_domain, now=datetime.now(UTC)))
        proxies = Proxies(ads, where.socket("ads"), wallet, memo)
        mesh = RunningMesh(
            paths=paths,
            watch=watch,
            in_force=InForce(host=host, proxies=proxies, design=design, memo=memo),
            memo=memo,
            ending=ending,
            phases=phases,
            traces=traces,
        )
        undo.push_async_callback(mesh.stop)
        await mesh.start()
        yield mesh
