"""One way to make a message durable, as a contender of `bench.send`: `python -m bench.send_worker KIND URL`.

`ours` is chat's writer over its record, as the service wires them: group commit. `commit` posts the same drafts by the
same statement, each in a commit of its own, through the same pool. `nats` publishes to JetStream and waits for its
acknowledgement. A sender has a room of its own, so that none waits for another's lock.
"""

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import nats

from bench.rounds import Sample
from bench.worker import answers, serve, timed
from services.chat.log import Log
from services.chat.messages import Draft, Message
from services.chat.server import MIGRATIONS
from services.chat.writer import Writer
from services.common.postgres import open_database
from services.common.settings import DatabaseSettings

STREAM = "bench"
TEXT = "x" * 200
SENDER = str(uuid.uuid4())
CONNECTIONS = 8

# Returns the place of a message once it is durable: 1, 2, 3 …
Post = Callable[[Draft], Awaitable[int]]


@asynccontextmanager
async def record(url: str) -> AsyncIterator[Log]:
    """Chat's, once it answers."""
    async with open_database(DatabaseSettings(url, "unused"), migrations=MIGRATIONS, size=CONNECTIONS) as database:
        await answers(database)
        yield Log(database)


@asynccontextmanager
async def ours(url: str) -> AsyncIterator[Post]:
    """Group commit."""
    async with record(url) as log:
        writer = Writer(log.append, lambda _: None)
        writing = asyncio.create_task(writer.run())

        async def post(draft: Draft) -> int:
            return _checked(await writer.post(draft), draft)

        yield post
        writing.cancel()


@asynccontextmanager
async def commit(url: str) -> AsyncIterator[Post]:
    """A commit for each message."""
    async with record(url) as log:

        async def post(draft: Draft) -> int:
            [stored] = await log.append([draft])
            return _checked(stored.message, draft)

        yield post


@asynccontextmanager
async def jetstream(url: str) -> AsyncIterator[Post]:
    """JetStream with a file store."""
    connection = await nats.connect(url)
    stream = connection.jetstream()
    await stream.add_stream(name=STREAM, subjects=[f"{STREAM}.>"])

    async def post(draft: Draft) -> int:
        stored = await stream.publish(f"{STREAM}.{draft.room}", draft.text.encode(), timeout=10)
        return int(stored.seq)

    yield post
    await connection.close()


def _checked(stored: Message, draft: Draft) -> int:
    if (stored.room, stored.message_id, stored.text) != (draft.room, draft.message_id, draft.text):
        raise RuntimeError(f"another message was stored: {stored}")
    return stored.sequence


async def burst(post: Post, *, calls: int, in_flight: int) -> Sample:
    """So many messages from so many senders; the places of a room must rise."""
    last: dict[str, int] = {}
    free = list(range(in_flight))

    async def one(_: int) -> None:
        sender = free.pop()
        draft = Draft(f"room{sender}", SENDER, str(uuid.uuid4()), "ada", TEXT)
        place = await post(draft)
        if place <= last.get(draft.room, 0):
            raise RuntimeError(f"{draft.room}: {place} came after {last[draft.room]}")
        last[draft.room] = place
        free.append(sender)

    return await timed(one, calls=calls, in_flight=in_flight)


async def main(kind: str, url: str) -> None:
    """Bursts until stdin ends."""
    async with {"ours": ours, "commit": commit, "nats": jetstream}[kind](url) as post:
        await serve(partial(burst, post))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
