"""The rooms that have readers at this replica, and the fan-out to them.

Events come from this replica's own commits and, through the broker, from the others'. They may cross, come twice or
never. A room passes them on in the order of their sequence, each once; what is missing is read from the record:

- an event that comes too early waits for the one before it, and if that does not come soon, it is read;
- what is missing at the end shows in the record's last sequence, asked every few seconds for all rooms in one query;
- the same is asked at once for a room whose first reader came, after its events are followed (what was committed
  between the reader's start and then is found so), and for all rooms whenever the broker's connection is new.
"""

import asyncio
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

from services.chat import metrics
from services.chat.broker import Broker
from services.chat.events import Event, Joining
from services.chat.log import Log
from services.chat.readers import Reader
from services.chat.spans import UNTOLD, MessageSpans, Origin
from services.common.errors import DomainError

logger = logging.getLogger(__name__)

PAGE = 256  # messages in one read of the record: 4 MB at the very worst
EARLY = 1024  # events that may wait for an earlier one; more are read from the record

# How long an event may be late because two replicas' publications crossed. It also bounds how often the record is read.
CROSSING_SECONDS = 0.03
# How often the record's heads are asked for; more often while there is no broker to tell.
CHECK_SECONDS = 2.0
CHECK_WITHOUT_BROKER_SECONDS = 0.25


class _Room:
    """What this replica has passed on in one room."""

    def __init__(self, head: int) -> None:
        self.head = head  # the last sequence given to the readers
        self.seen = head  # the last sequence known to exist
        self.readers: set[Reader] = set()
        self.joining = Joining()
        self._early: dict[int, Event] = {}
        self._ready: list[Event] = []

    def offer(self, event: Event) -> None:
        """Takes an event in; passes on what is in order now, all that comes in one turn of the loop together."""
        self.seen = max(self.seen, event.sequence)
        following = self.head + 1
        if event.sequence < following or (event.sequence > following and len(self._early) >= EARLY):
            return
        self._early[event.sequence] = event
        while (after := self._early.pop(self.head + 1, None)) is not None:
            self.head += 1
            if not self._ready:
                asyncio.get_running_loop().call_soon(self._pass_on)
            self._ready.append(after)

    def _pass_on(self) -> None:
        ready, self._ready = self._ready, []
        for reader in self.readers:
            reader.offer(ready)

    @property
    def behind(self) -> bool:
        """Whether events are missing."""
        return self.head < self.seen

    def forget_early(self) -> None:
        """The record does not know what was seen: it is right."""
        self.seen = self.head
        self._early.clear()


class Rooms:
    """All rooms of this replica. `run` must run beside the readers."""

    def __init__(
        self, log: Log, *, reader_queue: int, nats_url: str, nats_token: str, spans: MessageSpans = UNTOLD
    ) -> None:
        """At most `reader_queue` events wait for a reader that is live."""
        self._log = log
        self._reader_queue = reader_queue
        self._rooms: dict[str, _Room] = {}
        self._unsure: set[str] = set()  # rooms whose head in the record must be asked for
        self._wake = asyncio.Event()
        self._broker = Broker(nats_url, nats_token, received=self._received, connected=self._doubt_all, spans=spans)

    def publish(self, events: Sequence[Event]) -> None:
        """Passes newly committed messages on, to the readers here and to the other replicas."""
        for event in events:
            self._offer(event)
            self._broker.publish(event.message.room, event.encode(), event.origin)

    @contextmanager
    def reader(self, name: str, *, head: int, after: int | None) -> Iterator[Reader]:
        """A reader of the room from the message after `after` on, or from `head`: the record's last sequence, which
        the caller has just read."""
        room = self._rooms.get(name)
        if room is None:
            room = self._rooms[name] = _Room(head)
            metrics.OPEN_ROOMS.inc()
            self._unsure.add(name)
            self._wake.set()

        async def history(position: int) -> list[Event]:
            return [Event(message) for message in await self._log.after(name, position, PAGE)]

        reader = Reader(
            head if after is None else after, limit=self._reader_queue, head=lambda: room.head, history=history
        )
        room.readers.add(reader)
        metrics.READERS.inc()
        try:
            yield reader
        finally:
            metrics.READERS.dec()
            room.readers.discard(reader)
            if not room.readers:
                del self._rooms[name]
                metrics.OPEN_ROOMS.dec()

    def joined(self, name: str, events: Sequence[Event]) -> Iterable[tuple[bytes, int]]:
        """What a reader of this room has taken, as `events.joined`: made once for those who take the same."""
        return self._rooms[name].joining.of(events)

    @property
    def open_rooms(self) -> set[str]:
        """The rooms that have readers here."""
        return set(self._rooms)

    def complete(self, name: str) -> bool:
        """Whether the readers of this room have been given all that is known to exist."""
        room = self._rooms.get(name)
        return room is None or not room.behind

    async def run(self) -> None:
        """Follows the rooms that have readers and fills what is missing, until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._broker.run())
            tasks.create_task(self._keep_complete())

    async def _keep_complete(self) -> None:
        clock = asyncio.get_running_loop().time
        checked = clock()
        while True:
            due = checked + (CHECK_SECONDS if self._broker.up else CHECK_WITHOUT_BROKER_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._wake.wait()
                    await asyncio.sleep(CROSSING_SECONDS)
            self._wake.clear()
            if clock() >= due:
                checked = clock()
                self._unsure.update(self._rooms)
            try:
                await self._complete()
            except DomainError as error:
                logger.warning("rooms may lag: %s", error.reason)
            except Exception:
                # A bug of ours: rooms would lag for ever if this ended.
                logger.exception("rooms may lag")

    async def _complete(self) -> None:
        await self._broker.follow(self.open_rooms)
        unsure = self._unsure & self._rooms.keys()
        self._unsure.clear()
        if unsure:
            for name, head in (await self._log.heads(unsure)).items():
                if room := self._rooms.get(name):
                    room.seen = max(room.seen, head)
        for name, room in tuple(self._rooms.items()):
            while room.behind and room.readers:
                missing = await self._log.after(name, room.head, PAGE)
                if not missing:
                    room.forget_early()
                for message in missing:
                    metrics.FILLED.inc(message.sequence > room.head)
                    room.offer(Event(message))

    def _received(self, name: str, data: bytes, origin: Origin | None) -> None:
        event = Event.decode(data, origin)
        if event is not None and event.message.room == name:
            self._offer(event)

    def _offer(self, event: Event) -> None:
        if room := self._rooms.get(event.message.room):
            room.offer(event)
            if room.behind:
                self._wake.set()

    def _doubt_all(self) -> None:
        self._unsure.update(self._rooms)
        self._wake.set()
