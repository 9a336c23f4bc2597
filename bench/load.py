"""A load client that is not the bottleneck: the same unary gRPC call many times over plain HTTP/2 (RFC 9113).

The frames of a call are made once, so that a call costs this client some 60 µs of CPU, most of it in the kernel, and
not the 200 to 400 µs of a gRPC library in Python, which would measure itself; and each answer is compared with the
one expected, byte for byte, which common load tools do not do (one counted 28,600 failures as OK). It speaks only as
much HTTP/2 as that takes:

- Headers go into the connection's HPACK table with the first call and are a byte each afterwards, as with any client.
- Our own table is declared to be empty and trailers are not decoded: a call that fails has no message, so it differs.
- Our receive windows are as large as they can be; the peer's window of the connection is respected.
"""

import selectors
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench import cpu, http2
from bench.figures import percentile
from bench.rounds import Sample


@dataclass(frozen=True, slots=True)
class Call:
    """One call, and what is to come back: messages as their bytes."""

    path: str  # /user.v1.UserService/GetUser
    request: bytes
    reply: bytes
    metadata: Mapping[str, str] = field(default_factory=dict)
    authority: str = "bench"


class WrongAnswer(Exception):
    """A call was not answered as expected."""


class Connection:
    """One HTTP/2 connection to `host:port` or `unix:/path` that makes one kind of call."""

    def __init__(self, target: str, call: Call) -> None:
        self.socket = http2.connected(target)
        self._expected = http2.framed(call.reply)
        self._data = http2.framed(call.request)
        if len(self._data) > http2.LARGEST_FRAME:
            raise ValueError("a request that takes more than one frame")
        self._first, self._again = http2.header_blocks(call.path, call.authority, "30S", call.metadata)
        self._next_stream = 1
        self._window = http2.FIRST_WINDOW
        self._begun: dict[int, float] = {}
        self._bodies: dict[int, bytes] = {}
        self._received = b""
        self.socket.sendall(http2.first_words())

    def close(self) -> None:
        """Ends it."""
        self.socket.close()

    def start(self, count: int) -> int:
        """Begins so many calls, or as many as the peer's window allows; returns how many."""
        count = min(count, self._window // len(self._data))
        frames = []
        now = time.perf_counter()
        for _ in range(count):
            stream, block = self._next_stream, self._again
            if stream == 1:
                block = self._first
            frames.append(
                http2.frame(http2.HEADERS, http2.END_HEADERS, stream, block)
                + http2.frame(http2.DATA, http2.END_STREAM, stream, self._data)
            )
            self._begun[stream] = now
            self._next_stream += 2
        self._window -= count * len(self._data)
        self.socket.sendall(b"".join(frames))
        return count

    def receive(self) -> list[float]:
        """Reads what has come; the seconds that each call took that is answered with it. Raises WrongAnswer."""
        arrived = self.socket.recv(1 << 18)
        if not arrived:
            raise WrongAnswer("the peer has closed the connection")
        buffer, position = self._received + arrived, 0
        took: list[float] = []
        now = time.perf_counter()
        while len(buffer) - position >= 9:
            end = position + 9 + int.from_bytes(buffer[position : position + 3], "big")
            if len(buffer) < end:
                break
            kind, flags = buffer[position + 3], buffer[position + 4]
            stream = int.from_bytes(buffer[position + 5 : position + 9], "big")
            payload = buffer[position + 9 : end]
            position = end
            if kind == http2.DATA:
                self._bodies[stream] = self._bodies.get(stream, b"") + payload
            if kind in (http2.DATA, http2.HEADERS):
                if flags & http2.END_STREAM:
                    took.append(now - self._begun.pop(stream))
                    self._check(self._bodies.pop(stream, b""), took[-1])
            else:
                self._control(kind, flags, stream, payload)
        self._received = buffer[position:]
        return took

    def _check(self, body: bytes, seconds: float) -> None:
        if body != self._expected:
            what = f"another answer: {body[:200]!r}" if body else "no message: the call has failed"
            raise WrongAnswer(f"{what} (after {seconds:.3f} s)")

    def _control(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == http2.SETTINGS and not flags & http2.ACK:
            self.socket.sendall(http2.frame(http2.SETTINGS, http2.ACK, 0, b""))
        elif kind == http2.PING and not flags & http2.ACK:
            self.socket.sendall(http2.frame(http2.PING, http2.ACK, 0, payload))
        elif kind == http2.WINDOW_UPDATE and stream == 0:
            self._window += int.from_bytes(payload, "big")
        elif kind in (http2.RST_STREAM, http2.GOAWAY):
            raise WrongAnswer(f"the peer ends {'the connection' if kind == http2.GOAWAY else 'a call'}: {payload!r}")


class Load:
    """Open connections to one target. A burst after the other may be made on them."""

    def __init__(self, target: str, call: Call, *, pids: Sequence[int], connections: int = 4) -> None:
        """`pids` are the processes whose CPU counts."""
        self._connections = [Connection(target, call) for _ in range(connections)]
        self._pids = pids

    def close(self) -> None:
        """Closes the connections."""
        for connection in self._connections:
            connection.close()

    def burst(self, calls: int, in_flight: int) -> Sample:
        """So many calls with so many in flight at once. Raises WrongAnswer, and TimeoutError after a minute."""
        share, rest = divmod(in_flight, len(self._connections))
        shares = {one: share + (place < rest) for place, one in enumerate(self._connections)}
        took: list[float] = []
        before, begun = cpu.spent(self._pids), time.perf_counter()
        with selectors.DefaultSelector() as selector:
            for connection, wanted in shares.items():
                if wanted:
                    selector.register(connection.socket, selectors.EVENT_READ, connection)
            left = calls - sum(one.start(min(wanted, calls)) for one, wanted in shares.items() if wanted)
            due = dict.fromkeys(self._connections, 0)
            while len(took) < calls:
                if time.perf_counter() - begun > http2.LIMIT_SECONDS:
                    raise TimeoutError(f"{len(took)} of {calls} calls were answered within {http2.LIMIT_SECONDS:g} s")
                for key, _ in selector.select(timeout=1.0):
                    connection = key.data
                    answered = connection.receive()
                    took.extend(answered)
                    due[connection] += len(answered)
                    started = connection.start(min(due[connection], left)) if left else 0
                    due[connection] -= started
                    left -= started
        seconds = time.perf_counter() - begun
        used = cpu.seconds_between(before, cpu.spent(self._pids))
        return Sample(calls, seconds, used, percentile(took, 50) * 1000, percentile(took, 99) * 1000)
