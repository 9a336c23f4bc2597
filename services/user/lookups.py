"""Gets by id, gathered: what is asked for while a query is on its way goes into the next one, each id once.

A lone caller's query leaves at once. Under load, queries hold as many ids as came in meanwhile, and a query for eight
ids costs hardly more than one for one. Nothing is kept: an answer goes to those who asked before its query began, and
to no one later, so whoever asks after a write has returned sees that write.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass
from uuid import UUID

from opentelemetry.trace import Span

from services.common import semconv
from services.common.gathering import UNTOLD, Gathering
from services.user.users import User

BATCH = 256

Fetch = Callable[[Sequence[UUID]], Awaitable[Mapping[UUID, User]]]


@dataclass(frozen=True, slots=True)
class _Asking:
    """One get."""

    found: asyncio.Future[User | None]
    wait: Span


class Lookups:
    """`fetch` is the query: the users of these ids that exist."""

    def __init__(self, fetch: Fetch, *, batch: int = BATCH, gathering: Gathering = UNTOLD) -> None:
        """One query at a time, of at most `batch` ids."""
        self._fetch = fetch
        self._batch = batch
        self._gathering = gathering
        self._waiting: dict[UUID, list[_Asking]] = {}
        self._asking: asyncio.Task[None] | None = None

    async def get(self, id_: UUID) -> User | None:
        """The user of this id, if there is one. Raises what the query raises."""
        loop = asyncio.get_running_loop()
        found: asyncio.Future[User | None] = loop.create_future()
        # A future of one's own: who gives up does not take the answer from the others.
        with self._gathering.waiting("look up a user") as wait:
            self._waiting.setdefault(id_, []).append(_Asking(found, wait))
            if self._asking is None:
                # A context of its own: the query is nobody's call, so nobody's deadline ends it.
                self._asking = loop.create_task(self._ask(), context=Context())
            return await found

    async def _ask(self) -> None:
        """One query after the other, while somebody waits."""
        try:
            while self._waiting:
                ids = list(itertools.islice(self._waiting, self._batch))
                asking = {id_: self._waiting.pop(id_) for id_ in ids}
                waits = [one.wait for one in itertools.chain.from_iterable(asking.values())]
                try:
                    with self._gathering.working("look up users", waits, {semconv.DB_BATCH_SIZE: len(ids)}):
                        users = await self._fetch(ids)
                except Exception as error:
                    _fail(asking, error)
                else:
                    _answer(asking, users)
        finally:
            self._asking = None


def _answer(asking: Mapping[UUID, Sequence[_Asking]], users: Mapping[UUID, User]) -> None:
    for id_, all_ in asking.items():
        user = users.get(id_)
        for one in all_:
            if not one.found.done():
                one.found.set_result(user)


def _fail(asking: Mapping[UUID, Sequence[_Asking]], error: Exception) -> None:
    for one in itertools.chain.from_iterable(asking.values()):
        if not one.found.done():
            one.found.set_exception(error)
