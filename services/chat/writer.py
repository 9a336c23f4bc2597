"""Group commit: sends that come together are committed together.

Two lanes write at once, so that one can collect while the other's commit is on its way to disk. A room belongs to one
lane: its messages are committed in the order in which they were posted.
"""

import asyncio
import logging
import zlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from opentelemetry.trace import Span

from services.chat import metrics
from services.chat.events import Event
from services.chat.log import Appended
from services.chat.messages import Draft, Message
from services.chat.spans import Origin
from services.common import semconv
from services.common.errors import DomainError, Internal, InvalidArgument, ResourceExhausted, Unavailable
from services.common.gathering import UNTOLD, Gathering

LANES = 2
BATCH = 512
WAITING = 4096  # in each lane; at 4,000 characters a message some 64 MB at the very worst

# What to wait before a commit that found PostgreSQL away is tried again; the ids make the repeat safe. A restart of
# the server breaks every pooled connection once, which no sender should see.
_PAUSES_SECONDS = (0.05, 0.2)

logger = logging.getLogger(__name__)

Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class _Waiting:
    draft: Draft
    done: asyncio.Future[Message]
    span: Span


class Writer:
    """Posts messages. `append` commits a batch (`Log.append`); `committed` is then told what is new, in order."""

    def __init__(
        self,
        append: Callable[[Sequence[Draft]], Awaitable[list[Appended]]],
        committed: Callable[[Sequence[Event]], None],
        gathering: Gathering = UNTOLD,
    ) -> None:
        self._append = append
        self._committed = committed
        self._gathering = gathering
        self._lanes = [asyncio.Queue[_Waiting](WAITING) for _ in range(LANES)]

    async def post(self, draft: Draft) -> Message:
        """Returns the message once it is committed; a repeat returns the message that is stored already.

        Cancel it to stop waiting: a message whose commit has not begun is then not stored. Raises InvalidArgument
        (MESSAGE_ID_REUSED) if the id was used with another text, ResourceExhausted (TOO_MANY_SENDS) if too many wait,
        Unavailable if the record is away: then it is not known whether the message is stored; repeat it.
        """
        done: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        with self._gathering.waiting("store a message") as span:
            try:
                self._lanes[zlib.crc32(draft.room.encode()) % LANES].put_nowait(_Waiting(draft, done, span))
            except asyncio.QueueFull:
                raise ResourceExhausted(
                    "TOO_MANY_SENDS", "too many messages wait to be stored", retry_after_seconds=1.0
                ) from None
            return await done

    async def run(self) -> None:
        """Writes until it is cancelled; who still waits then gets Unavailable."""
        try:
            async with asyncio.TaskGroup() as lanes:
                for lane in self._lanes:
                    lanes.create_task(self._write(lane))
        finally:
            for lane in self._lanes:
                while not lane.empty():
                    _fail([lane.get_nowait()], Unavailable("STOPPING", "this replica is stopping"))

    async def _write(self, lane: asyncio.Queue[_Waiting]) -> None:
        while True:
            batch = [await lane.get()]
            while len(batch) < BATCH and not lane.empty():
                batch.append(lane.get_nowait())
            try:
                await self._commit(batch)
            finally:
                # Nobody is left waiting, whatever happened.
                _fail(batch, Unavailable("STOPPING", "this replica is stopping"))

    async def _commit(self, batch: Sequence[_Waiting]) -> None:
        """Commits those that still wait. Where one message spoils the batch, the others are committed without it."""
        waiting = [one for one in batch if not one.done.done()]
        if not waiting:
            return
        firsts: dict[Key, _Waiting] = {}
        for one in waiting:
            firsts.setdefault(_key(one.draft), one)
        drafts = [one.draft for one in firsts.values()]
        try:
            with self._gathering.working(
                "commit messages", [one.span for one in waiting], {semconv.DB_BATCH_SIZE: len(drafts)}
            ):
                stored = await self._try(drafts)
        except InvalidArgument as error:
            if len(waiting) == 1:
                _fail(waiting, error)
                return
            middle = len(waiting) // 2
            await self._commit(waiting[:middle])
            await self._commit(waiting[middle:])
        except DomainError as error:
            _fail(waiting, error)
        except Exception:
            # A bug of ours; the lane goes on.
            logger.exception("a commit failed")
            _fail(waiting, Internal("COMMIT_FAILED", "the message could not be stored"))
        else:
            metrics.COMMITS.observe(len(drafts))
            fresh = [one.message for one in stored if one.fresh]
            # While the senders' spans are open: their answers end them.
            events = [Event(message, Origin.of(firsts[_key(message)].span)) for message in fresh]
            _answer(waiting, {_key(one.message): one.message for one in stored})
            self._committed(events)

    async def _try(self, drafts: Sequence[Draft]) -> list[Appended]:
        for pause in _PAUSES_SECONDS:
            try:
                return await self._append(drafts)
            except Unavailable:
                await asyncio.sleep(pause)
        return await self._append(drafts)


def _key(one: Draft | Message) -> Key:
    return one.room, one.sender_id, one.message_id


def _answer(waiting: Iterable[_Waiting], stored: dict[Key, Message]) -> None:
    for one in waiting:
        message = stored[_key(one.draft)]
        if one.done.done():
            continue
        if message.text == one.draft.text:
            one.done.set_result(message)
        else:
            one.done.set_exception(
                InvalidArgument(
                    "MESSAGE_ID_REUSED",
                    "message_id {message_id} was used with another text",
                    message_id=message.message_id,
                )
            )


def _fail(waiting: Iterable[_Waiting], error: DomainError) -> None:
    for one in waiting:
        if not one.done.done():
            one.done.set_exception(error)
