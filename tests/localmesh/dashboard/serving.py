"""A dashboard of folders where no mesh runs, on a real port."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web

from localmesh.dashboard.server import application, runner_of
from localmesh.runtime import dirs


@asynccontextmanager
async def dashboard(state: Path) -> AsyncIterator[tuple[aiohttp.ClientSession, web.Application]]:
    """A client that speaks to it, and the application behind."""
    app = application(dirs.of(state))
    runner = runner_of(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        async with aiohttp.ClientSession(f"http://{host}:{port}") as client:
            yield client, app
    finally:
        await runner.cleanup()
