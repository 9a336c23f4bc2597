"""The end of a grpc.aio server, with a bound: `Server.stop` alone may never return, nor the process end.

grpc ends a connection only after it has written its last frame (https://github.com/grpc/grpc/issues/13429). To a peer
that has hung with a full socket it cannot: it waits until that peer goes, or a keepalive is missed where there are any.

This file is in localmesh and in services.common, word for word: neither may import the other.
"""

import asyncio
import logging

import grpc.aio

log = logging.getLogger(__name__)


async def stopped(server: grpc.aio.Server, *, grace: float = 0.0, margin: float = 1.0) -> None:
    """Stops the server: calls have `grace` seconds to end, then they are cut.

    Returns at the latest `margin` seconds after that. If a peer has held it up so long, the log says so.
    """
    stopping = asyncio.create_task(server.stop(grace))
    await asyncio.wait([stopping], timeout=grace + margin)
    if stopping.done():
        stopping.result()
        return
    # Who uses grpc.aio last waits for all its servers. So that nobody does: one user more, until the process ends.
    grpc.aio.init_grpc_aio()
    log.warning("a peer takes nothing any more: its connection is left open")
