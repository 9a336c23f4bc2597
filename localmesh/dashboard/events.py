"""Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): one JSON value each."""

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from aiohttp import web

from localmesh.dashboard.guard import HEADERS

# How long a stream may be silent, in seconds: a client that has gone away is only noticed by writing to it.
SILENCE_SECONDS = 5.0
# When a browser asks again after a stream has broken, in milliseconds.
AGAIN_MS = 1000


@dataclass(frozen=True, slots=True)
class Event:
    """What a stream says: a name, and a value that JSON can hold."""

    name: str
    value: object


async def stream(request: web.Request, events: AsyncGenerator[Event]) -> web.StreamResponse:
    """Send events until they end or the client is gone. A slow client slows the events down; nothing is piled up."""
    response = web.StreamResponse(headers={**HEADERS, "Content-Type": "text/event-stream; charset=utf-8"})
    await response.prepare(request)
    await response.write(f"retry: {AGAIN_MS}\n\n".encode())
    upcoming: asyncio.Task[Event] | None = None
    try:
        while True:
            upcoming = upcoming or asyncio.ensure_future(anext(events))
            done, _ = await asyncio.wait({upcoming}, timeout=SILENCE_SECONDS)
            if not done:
                await response.write(b": still here\n\n")
                continue
            event, upcoming = upcoming.result(), None
            await response.write(f"event: {event.name}\ndata: {json.dumps(event.value)}\n\n".encode())
    except (StopAsyncIteration, ConnectionError):
        pass
    finally:
        if upcoming:
            upcoming.cancel()
            await asyncio.gather(upcoming, return_exceptions=True)
        await events.aclose()
    return response
