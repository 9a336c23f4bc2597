"""Many readers of one stream of messages, over plain HTTP/2 and in one process, which is not the bottleneck.

What a reader gets is compared with what was published, byte for byte and in order: the messages' bytes without their
frames must be a piece of the published bytes that begins where the last one ended. So a delivery that is missing,
doubled, changed or out of order is an error, and comparing costs less than parsing would.
"""

import selectors
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from bench import http2
from bench.load import WrongAnswer

STREAMS = 100  # on one connection
READ_BYTES = 1 << 18
LIMIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Stream:
    """A call that is answered with many messages, the first of them empty."""

    path: str
    request: bytes
    metadata: Mapping[str, str]


class Readers:
    """Open streams of one kind. `expect` is told what they will get; `read` reads."""

    def __init__(self, target: str, stream: Stream, count: int, expected: Iterable[bytes] = ()) -> None:
        """`count` streams are open when this returns; `expected` are messages that they may get at once."""
        self.count = count
        self._published = bytearray()
        self._ends: list[int] = []  # of the messages in `published`
        for message in expected:
            self.expect(message)
        self._connections = [
            _Connection(target, stream, min(STREAMS, count - begin), self._published)
            for begin in range(0, count, STREAMS)
        ]
        self._selector = selectors.DefaultSelector()
        for one in self._connections:
            self._selector.register(one.socket, selectors.EVENT_READ, one)
        try:
            self._wait(lambda: all(not one.unopened for one in self._connections))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Ends all streams."""
        self._selector.close()
        for one in self._connections:
            one.socket.close()

    def expect(self, message: bytes) -> None:
        """The next message that everybody is to get."""
        self._published += message
        self._ends.append(len(self._published))

    @property
    def published(self) -> int:
        """Bytes of all messages until now."""
        return len(self._published)

    def had(self, messages: int) -> bool:
        """Whether every reader has had so many of them."""
        if messages > len(self._ends):
            return False
        end = self._ends[messages - 1] if messages else 0
        return all(position >= end for one in self._connections for position in one.positions.values())

    def read(self, seconds: float) -> list[tuple[float, int, int]]:
        """Reads what comes within this time, or at once what is there: each as its time, and from where to where."""
        arrived = []
        for key, _ in self._selector.select(seconds):
            connection: _Connection = key.data
            now = time.perf_counter()
            arrived += [(now, begin, end) for begin, end in connection.receive()]
        return arrived

    def until(self, messages: int) -> None:
        """Reads until every reader has had so many messages. Raises WrongAnswer, and TimeoutError after a minute."""
        self._wait(lambda: self.had(messages))

    def _wait(self, done: Callable[[], bool]) -> None:
        end = time.monotonic() + LIMIT_SECONDS
        while not done():
            if time.monotonic() > end:
                raise TimeoutError(f"readers wait for more than {LIMIT_SECONDS:g} s")
            self.read(1.0)


class _Connection:
    """Some of the streams."""

    def __init__(self, target: str, stream: Stream, count: int, published: bytearray) -> None:
        self.socket = http2.connected(target)
        self._published = published
        numbers = range(1, 2 * count, 2)
        self.unopened = set(numbers)
        self.positions = dict.fromkeys(numbers, 0)  # in what was published
        self._rests = dict.fromkeys(numbers, b"")  # the beginnings of messages
        self._rest = b""  # the beginning of a frame
        self._taken = 0
        first, again = http2.header_blocks(stream.path, "bench", "", stream.metadata)
        data = http2.framed(stream.request)
        opening = [
            http2.frame(http2.HEADERS, http2.END_HEADERS, number, first if number == 1 else again)
            + http2.frame(http2.DATA, http2.END_STREAM, number, data)
            for number in numbers
        ]
        self.socket.sendall(http2.first_words() + b"".join(opening))

    def receive(self) -> list[tuple[int, int]]:
        """What has come: from where to where in what was published, for each message. Raises WrongAnswer."""
        data = self.socket.recv(READ_BYTES)
        if not data:
            raise WrongAnswer("the peer has closed the connection")
        self._window(len(data))
        buffer, at = self._rest + data, 0
        got: list[tuple[int, int]] = []
        while len(buffer) - at >= 9:
            end = at + 9 + int.from_bytes(buffer[at : at + 3], "big")
            if len(buffer) < end:
                break
            kind, flags = buffer[at + 3], buffer[at + 4]
            if kind == http2.DATA:
                self._messages(int.from_bytes(buffer[at + 5 : at + 9], "big"), buffer[at + 9 : end], got)
            elif kind in (http2.RST_STREAM, http2.GOAWAY) or (kind == http2.HEADERS and flags & http2.END_STREAM):
                raise WrongAnswer(f"a stream has ended: frame {kind}, {buffer[at + 9 : end]!r}")
            elif kind in (http2.SETTINGS, http2.PING) and not flags & http2.ACK:
                answer = buffer[at + 9 : end] if kind == http2.PING else b""
                self.socket.sendall(http2.frame(kind, http2.ACK, 0, answer))
            at = end
        self._rest = buffer[at:]
        return got

    def _messages(self, number: int, payload: bytes, got: list[tuple[int, int]]) -> None:
        data, at = self._rests[number] + payload, 0
        begin = self.positions[number]
        while len(data) - at >= 5:
            size = int.from_bytes(data[at + 1 : at + 5], "big")
            if len(data) - at - 5 < size:
                break
            end = begin + size
            if data[at + 5 : at + 5 + size] != self._published[begin:end]:
                raise WrongAnswer(f"a reader gets something else at byte {begin}: {data[at + 5 : at + 85]!r}")
            if size:
                got.append((begin, end))
            else:
                self.unopened.discard(number)
            begin, at = end, at + 5 + size
        self.positions[number], self._rests[number] = begin, data[at:]

    def _window(self, size: int) -> None:
        """Gives back of the connection's window what was taken of it, now and then."""
        self._taken += size
        if self._taken > http2.LARGEST_WINDOW // 4:
            self.socket.sendall(http2.window_update(self._taken // 2))
            self._taken -= self._taken // 2
