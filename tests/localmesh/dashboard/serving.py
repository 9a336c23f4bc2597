"""A dashboard of folders where no mesh runs, on a real port."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web

from localmesh.dashboard.server import application, runner_of
from localmesh.runtime import dirs


@asynccontextmanager
async def served(app: web.Application, port: int = 0) -> AsyncIterator[str]:
    """Serves it, on any free port; the page's address."""
    runner = runner_of(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def dashboard(state: Path) -> AsyncIterator[tuple[aiohttp.ClientSession, web.Application]]:
    """A client that speaks to it, and the application behind."""
    app = application(dirs.of(state))
    async with served(app) as address, aiohttp.ClientSession(address) as client:
        yield client, app
