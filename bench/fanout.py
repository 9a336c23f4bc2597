"""`make bench-fanout`: one room, many readers: how many deliveries a second one process makes, and how late they are.

Two contenders behind the same gateway and sidecars (two Envoys with mTLS between them): a server as an introduction to
gRPC has it, one write for each event and reader; and chat's WatchRoom, where an event is serialised once and what waits
for a reader goes out in one write. Both get their events from NATS, as from another replica, and both are watched by
the same readers, who compare what they get byte for byte: all of it, once, in order. At full speed the next events are
published when the slowest reader has had all but the last ones, so that nobody's queue overflows. CPU is that of the
server, its sidecar and the gateway together.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from bench import cpu, pods
from bench.fanout_mesh import HEADER, fanout_mesh
from bench.figures import number, percentile
from bench.own_mesh import OwnMesh
from bench.readers import Readers, Stream
from bench.report import Aim, Report, Row, Table, command
from bench.rounds import HEADING, Rounds, Sample, cpu_us, medians, middle, paired, per_second, ratio
from bench.textbook import PUBLISH
from clients import caller
from clients.channel import Gateway
from protos.chat.v1.chat_pb2 import Message, SendMessageRequest, WatchRoomRequest, WatchRoomResponse

OURS, TEXTBOOK = "WatchRoom", "textbook"
PODS = {OURS: "chat-0", TEXTBOOK: "textbook-0"}
ROUNDS = 7
WATCH = "/chat.v1.ChatService/WatchRoom"
TEXT = "x" * 40  # an event of some 110 bytes
FOLLOWED_SECONDS = 0.2
FAST = "The table says how much of it is CPU; the next step is a profile of chat at full speed."
SLOW = (
    "At this rate nothing waits, so each event is a write to each reader with both, and the lateness is the CPU of the"
    " writes before one's own. Of ours, grpc.aio's write is nine tenths; the next step would be one task that writes to"
    " all readers, so that none has to be woken."
)
SLOW_EVENTS, SLOW_RATE = 100, 100  # 10,000 deliveries a second to 100 readers


@dataclass(frozen=True, slots=True)
class Size:
    """How a room is filled at full speed: so many events are published at once, so many in one burst."""

    readers: int
    at_once: dict[str, int]
    events: dict[str, int]


SIZES = (
    Size(100, {OURS: 256, TEXTBOOK: 16}, {OURS: 4096, TEXTBOOK: 160}),
    Size(1000, {OURS: 256, TEXTBOOK: 2}, {OURS: 1024, TEXTBOOK: 16}),
)


class Source:
    """Publishes events to NATS, through the textbook's server. Nobody waits for the answers, but a failure raises."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._publish = channel.unary_unary(PUBLISH, WatchRoomResponse.SerializeToString, WatchRoomResponse.FromString)
        self._last: deque[grpc.Future[WatchRoomResponse]] = deque()

    def publish(self, events: WatchRoomResponse) -> None:
        """Begins to publish these."""
        self._last.append(self._publish.future(events, timeout=10))
        while self._last and self._last[0].done():
            self._last.popleft().result()


class Room:
    """One contender's room with its readers. Events have the sequences that follow the last."""

    def __init__(self, name: str, readers: Readers, source: Source, pids: list[int]) -> None:
        self._name, self._readers, self._source, self._pids = name, readers, source, pids
        self._events = 0
        self._count = readers.count

    def open(self) -> None:
        """Publishes the first event until it comes. (Chat follows a room a moment after it is read, and passes on once
        what comes twice.)"""
        batch = self._next(1)
        self._source.publish(batch)
        while not self._readers.had(1):
            if not self._readers.read(FOLLOWED_SECONDS) and self._name.startswith(OURS):
                self._source.publish(batch)

    def full_speed(self, events: int, at_once: int) -> Sample:
        """So many events, as fast as all readers take them."""
        before, begun, first = cpu.spent(self._pids), time.perf_counter(), self._events
        while self._events < first + events:
            self._source.publish(self._next(at_once))
            self._readers.until(self._events - at_once)
        self._readers.until(self._events)
        seconds = time.perf_counter() - begun
        return Sample(events * self._count, seconds, cpu.seconds_between(before, cpu.spent(self._pids)))

    def steady(self, events: int, rate: int) -> Sample:
        """So many events at so many a second; how late each delivery is."""
        before, begun, first = cpu.spent(self._pids), time.perf_counter(), self._events
        sent: dict[int, float] = {}  # by where its bytes end
        late: list[float] = []
        while not self._readers.had(first + events):
            due = begun + (self._events - first) / rate
            now = time.perf_counter()
            if self._events < first + events and now >= due:
                self._source.publish(self._next(1))
                sent[self._readers.published] = now
                continue
            for at, start, end in self._readers.read(
                max(0.0, min(due - now, 0.05)) if self._events < first + events else 0.05
            ):
                late += [at - when for where, when in sent.items() if start < where <= end]
        seconds = time.perf_counter() - begun
        used = cpu.seconds_between(before, cpu.spent(self._pids))
        return Sample(len(late), seconds, used, percentile(late, 50) * 1000, percentile(late, 99) * 1000)

    def _next(self, events: int) -> WatchRoomResponse:
        """The next events, which the readers are told to expect."""
        batch = WatchRoomResponse()
        for _ in range(events):
            self._events += 1
            message = Message(
                room=self._name,
                sequence=self._events + 1,  # the first made the room
                message_id=f"{self._events:032d}",
                sender_id="bench",
                sender_name="Bench",
                text=TEXT,
                create_time=Timestamp(seconds=1_700_000_000),
            )
            batch.messages.append(message)
            self._readers.expect(WatchRoomResponse(messages=[message]).SerializeToString())
        return batch


@contextmanager
def rooms(mesh: OwnMesh, gateway: Gateway, size: Size) -> Iterator[dict[str, Room]]:
    """A room of so many readers at each contender."""
    known = pods.processes(mesh)
    textbook = next(one for one in known if one.pod == PODS[TEXTBOOK] and one.program == "bench.textbook")
    with ExitStack() as stack:
        channel = stack.enter_context(grpc.insecure_channel(pods.environment(textbook.pid)["GRPC_LISTEN"]))
        source = Source(channel)
        made = {}
        for name in (OURS, TEXTBOOK):
            room = f"{name}-{size.readers}"
            metadata = {**{key: str(value) for key, value in gateway.metadata(room)}, HEADER: name}
            stream = Stream(WATCH, WatchRoomRequest(room=room).SerializeToString(), metadata)
            readers = Readers(mesh.gateway, stream, size.readers)
            stack.callback(readers.close)
            made[name] = Room(room, readers, source, pods.of_pod(known, PODS[name], "gateway-0"))
            made[name].open()
        yield made


async def opened(gateway: Gateway, size: Size) -> None:
    """Makes chat's room: one that nobody ever wrote to does not exist."""
    room = f"{OURS}-{size.readers}"
    request = SendMessageRequest(room=room, text="first", message_id="0" * 32)
    await gateway.chat.SendMessage(request, metadata=gateway.metadata(), timeout=10)


async def measured_in(mesh: OwnMesh) -> Report:
    """All figures."""
    async with caller.person(mesh.gateway, "fanout") as gateway:
        fast: dict[int, Rounds] = {}
        for size in SIZES:
            await opened(gateway, size)
            with rooms(mesh, gateway, size) as made:
                bursts = {n: partial(room.full_speed, size.events[n], size.at_once[n]) for n, room in made.items()}
                fast[size.readers] = paired(bursts, ROUNDS)
                if size is SIZES[0]:
                    steady = paired({n: partial(r.steady, SLOW_EVENTS, SLOW_RATE) for n, r in made.items()}, ROUNDS)
    return report(fast, steady)


def report(fast: dict[int, Rounds], steady: Rounds) -> Report:
    """Deliveries a second and their CPU by readers, and the lateness at a rate that both can hold."""
    rows = []
    for readers, rounds in fast.items():
        rows += [
            _row(f"{readers} readers, full speed", "deliveries/s", rounds, per_second, Aim(25, least=True)),
            _row(
                f"{readers} readers, from one process",
                "deliveries/s",
                rounds,
                per_second,
                Aim(500_000, least=True, of_ratio=False),
            ),
            _row(f"{readers} readers, CPU with both proxies", "µs/delivery", rounds, cpu_us, None),
        ]
    rows.append(_row("10,000 deliveries/s to 100 readers, p50", "ms", steady, lambda one: one.p50_ms, Aim(1.2)))
    lines = [
        (f"{what}: {name}", *map(number, medians(rounds, name)))
        for what, rounds in (
            *((f"{count} readers, full speed", one) for count, one in fast.items()),
            ("10,000/s", steady),
        )
        for name in rounds
    ]
    return Report("fanout", __doc__ or "", tuple(rows), (Table(("", *HEADING), tuple(lines)),), TRIED)


def _row(what: str, unit: str, rounds: Rounds, of: Callable[[Sample], float], aim: Aim | None) -> Row:
    return Row(
        what=what,
        unit=unit,
        ours=middle(rounds, OURS, of),
        ours_is="WatchRoom",
        other=middle(rounds, TEXTBOOK, of),
        other_is="one write per event",
        ratio=ratio(rounds, OURS, TEXTBOOK, of),
        aim=aim,
        otherwise=SLOW if unit == "ms" else FAST,
    )


TRIED = (
    "Kept: one timer for a stream, not one for each wait and each write; a stream's handler in a task of its own, so"
    " that an event does not wake it through all layers; layers that count writes without being coroutines. Together"
    " from 1.66 to 1.05 of the CPU of a bare write, proxies included, where nothing is joined.",
    "A future in place of the event that wakes a reader: 1.0.",
)


def measured() -> Report:
    """On a mesh of its own."""
    with fanout_mesh() as mesh:
        return asyncio.run(measured_in(mesh))


if __name__ == "__main__":
    command(measured)
