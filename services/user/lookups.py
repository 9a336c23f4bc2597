"""Gets by id, gathered: what is asked for while a query is on its way goes into the next one, each id once.

A lone caller's query leaves at once. Under load, queries hold as many ids as came in meanwhile, and a query for eight
ids costs hardly more than one for one. Nothing is kept: an answer goes to those who asked before its query began, and
to no one later, so whoever asks after a write has returned sees that write.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import Context
from uuid import UUID

from services.user.users import User

# Two queries at once, so that one is being answered while the other is being made.
LANES = 2
BATCH = 256

Fetch = Callable[[Sequence[UUID]], Awaitable[Mapping[UUID, User]]]


class Lookups:
    """`fetch` is the query: the users of these ids that exist."""

    def __init__(self, fetch: Fetch, *, lanes: int = LANES, batch: int = BATCH) -> None:
        """At most `lanes` queries at once of at most `batch` ids each."""
        self._fetch = fetch
        self._batch = batch
        self._idle = lanes
        self._waiting: dict[UUID, list[asyncio.Future[User | None]]] = {}
        self._lanes: set[asyncio.Task[None]] = set()

    async def get(self, id_: UUID) -> User | None:
        """The user of this id, if there is one. Raises what the query raises."""
        loop = asyncio.get_running_loop()
        found: asyncio.Future[User | None] = loop.create_future()
        # A future of one's own: who gives up does not take the answer from the others.
        self._waiting.setdefault(id_, []).append(found)
        if self._idle:
            self._idle -= 1
            # A context of its own: the query is nobody's call, so nobody's deadline ends it.
            lane = loop.create_task(self._ask(), context=Context())
            self._lanes.add(lane)
            lane.add_done_callback(self._lanes.discard)
        return await found

    async def _ask(self) -> None:
        """A lane: one query after the other, while somebody waits."""
        try:
            while self._waiting:
                ids = list(itertools.islice(self._waiting, self._batch))
                asking = {id_: self._waiting.pop(id_) for id_ in ids}
                try:
                    users = await self._fetch(ids)
                except Exception as error:
                    _fail(asking, error)
                else:
                    _answer(asking, users)
        finally:
            self._idle += 1


_Asking = Mapping[UUID, Sequence[asyncio.Future[User | None]]]


def _answer(asking: _Asking, users: Mapping[UUID, User]) -> None:
    for id_, futures in asking.items():
        user = users.get(id_)
        for future in futures:
            if not future.done():
                future.set_result(user)


def _fail(asking: _Asking, error: Exception) -> None:
    for future in itertools.chain.from_iterable(asking.values()):
        if not future.done():
            future.set_exception(error)
