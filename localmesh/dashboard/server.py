"""The server: the page's files, and what they ask for under `/api/`. It changes nothing."""

import asyncio
import dataclasses
import signal
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from aiohttp import web

from localmesh.dashboard import logs
from localmesh.dashboard.events import Event, stream
from localmesh.dashboard.feed import Feed
from localmesh.dashboard.guard import guarded, loopback
from localmesh.dashboard.reading import Reader, Reading
from localmesh.dashboard.traces import Asked, Traces
from localmesh.errors import MeshError
from localmesh.observe.call_lines import of_trace
from localmesh.runtime.dirs import Dirs

P = ParamSpec("P")
T = TypeVar("T")

PAGE = Path(__file__).parent / "page"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
# A browser gives one page six connections; this is several people with several pages, and no way to fill our memory.
MOST_STREAMS = 32
LOG_LINES = 300
DIRS = web.AppKey("dirs", Dirs)
FEED: web.AppKey[Feed[Reading]] = web.AppKey("feed")
TRACES = web.AppKey("traces", Traces)
STREAMS: web.AppKey[set[asyncio.Task[object]]] = web.AppKey("streams")


def application(dirs: Dirs) -> web.Application:
    """The dashboard of the mesh of these folders, whether it runs or not."""
    app = web.Application(middlewares=[guarded])
    app[DIRS] = dirs
    app[FEED] = Feed(Reader(dirs).read)
    app[TRACES] = Traces(dirs)
    app[STREAMS] = set()
    app.on_shutdown.append(_end_streams)
    # Streams have no answer to HEAD: they do not know their end.
    app.router.add_get("/api/mesh", _mesh, allow_head=False)
    app.router.add_get("/api/logs/{pod:.+}", _logs, allow_head=False)
    app.router.add_get("/api/traces", _traces)
    app.router.add_get("/api/traces/{id:[0-9a-f]{32}}", _trace)
    app.router.add_get("/api/traces/{id:[0-9a-f]{32}}/logs", _lines)
    app.router.add_get("/{name:[a-z-]*(?:\\.[a-z]+)?}", _file)
    return app


async def serve(dirs: Dirs, listen: str, listening: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM. `listening` is told the page's address. MeshError if the address is taken."""
    host, port = loopback(listen)
    ending = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    runner = runner_of(application(dirs))
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            what = f"{listen} cannot be listened on: {error.strerror}"
            raise MeshError(what, "another port: --listen 127.0.0.1:8089") from error
        listening(f"http://{runner.addresses[0][0]}:{runner.addresses[0][1]}/")
        await ending.wait()
    finally:
        await runner.cleanup()


def runner_of(app: web.Application) -> web.AppRunner:
    """What runs it: a handler ends when its client goes."""
    return web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1.0)


async def _end_streams(app: web.Application) -> None:
    """Streams have no end of their own."""
    for task in app[STREAMS]:
        task.cancel()


async def _file(request: web.Request) -> web.Response:
    name = request.match_info["name"] or "index.html"
    file = PAGE / name
    if file.suffix not in TYPES or not file.is_file():
        raise web.HTTPNotFound(text=f"there is no {name} here\n")
    return web.Response(body=file.read_bytes(), content_type=TYPES[file.suffix], charset="utf-8")


async def _mesh(request: web.Request) -> web.StreamResponse:
    return await _streamed(request, _readings(request.app[FEED]))


async def _readings(feed: Feed[Reading]) -> AsyncGenerator[Event]:
    readings = feed.readings()
    try:
        async for reading in readings:
            yield Event("mesh", dataclasses.asdict(reading))
    finally:
        await readings.aclose()


async def _logs(request: web.Request) -> web.StreamResponse:
    return await _streamed(request, logs.following(request.app[DIRS].logs, request.match_info["pod"], LOG_LINES))


async def _traces(request: web.Request) -> web.Response:
    query = request.query
    try:
        slower = float(query.get("slower", "0")) / 1000
    except ValueError:
        raise web.HTTPBadRequest(text="slower: a number of milliseconds\n") from None
    asked = Asked(
        service=query.get("service", ""),
        failed=bool(query.get("failed")),
        slower_than_seconds=slower,
        source=query.get("from", ""),
        target=query.get("to", ""),
    )
    return web.json_response(await _told(request.app[TRACES].listed, asked))


async def _trace(request: web.Request) -> web.Response:
    found = await _told(request.app[TRACES].shown, request.match_info["id"])
    return web.json_response(dataclasses.asdict(found))


async def _lines(request: web.Request) -> web.Response:
    found = await _told(of_trace, request.app[DIRS].logs, request.match_info["id"])
    lines = [{"pod": each.pod, "program": each.program, "text": each.text} for each in found]
    return web.json_response(lines)


async def _told(ask: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What a blocking call gives, or its MeshError as an answer: 404, in its words, and what to try."""
    try:
        return await asyncio.to_thread(ask, *args, **kwargs)
    except MeshError as error:
        hint = f" (try: {error.hint})" if error.hint else ""
        raise web.HTTPNotFound(text=f"{error.what}{hint}\n") from error


async def _streamed(request: web.Request, events: AsyncGenerator[Event]) -> web.StreamResponse:
    streams, task = request.app[STREAMS], asyncio.current_task()
    assert task
    if len(streams) >= MOST_STREAMS:
        raise web.HTTPServiceUnavailable(text=f"{MOST_STREAMS} streams are open already: close some pages\n")
    streams.add(task)
    try:
        return await stream(request, events)
    finally:
        streams.discard(task)
