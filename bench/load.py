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
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench import cpu
from bench.figures import percentile
from bench.rounds import Sample

LIMIT_SECONDS = 60.0

_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
_END_STREAM, _ACK, _END_HEADERS = 1, 1, 4
_LARGEST_WINDOW = (1 << 31) - 1
_FIRST_WINDOW = 65_535
_LARGEST_FRAME = 16_384
_STATIC_TABLE = 61  # entries of HPACK's static table (RFC 7541, appendix A)
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


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
        self.socket = _connected(target)
        self._expected = framed(call.reply)
        self._data = framed(call.request)
        if len(self._data) > _LARGEST_FRAME:
            raise ValueError("a request that takes more than one frame")
        self._first, self._again = _header_blocks(call)
        self._next_stream = 1
        self._window = _FIRST_WINDOW
        self._begun: dict[int, float] = {}
        self._bodies: dict[int, bytes] = {}
        self._received = b""
        settings = struct.pack(">HIHIHI", 1, 0, 2, 0, 4, _LARGEST_WINDOW)  # no table, no pushes, the largest window
        self.socket.sendall(
            _PREFACE + _frame(_SETTINGS, 0, 0, settings) + _window_update(_LARGEST_WINDOW - _FIRST_WINDOW)
        )

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
                _frame(_HEADERS, _END_HEADERS, stream, block) + _frame(_DATA, _END_STREAM, stream, self._data)
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
            if kind == _DATA:
                self._bodies[stream] = self._bodies.get(stream, b"") + payload
            if kind in (_DATA, _HEADERS):
                if flags & _END_STREAM:
                    self._check(self._bodies.pop(stream, b""))
                    took.append(now - self._begun.pop(stream))
            else:
                self._control(kind, flags, stream, payload)
        self._received = buffer[position:]
        return took

    def _check(self, body: bytes) -> None:
        if body != self._expected:
            what = f"another answer: {body[:200]!r}" if body else "no message: the call has failed"
            raise WrongAnswer(what)

    def _control(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == _SETTINGS and not flags & _ACK:
            self.socket.sendall(_frame(_SETTINGS, _ACK, 0, b""))
        elif kind == _PING and not flags & _ACK:
            self.socket.sendall(_frame(_PING, _ACK, 0, payload))
        elif kind == _WINDOW_UPDATE and stream == 0:
            self._window += int.from_bytes(payload, "big")
        elif kind in (_RST_STREAM, _GOAWAY):
            raise WrongAnswer(f"the peer ends {'the connection' if kind == _GOAWAY else 'a call'}: {payload!r}")


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
                if time.perf_counter() - begun > LIMIT_SECONDS:
                    raise TimeoutError(f"{len(took)} of {calls} calls were answered within {LIMIT_SECONDS:g} s")
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


def framed(message: bytes) -> bytes:
    """A message as gRPC puts it into DATA frames: a byte for "not compressed", and its length."""
    return struct.pack(">BI", 0, len(message)) + message


def _connected(target: str) -> socket.socket:
    if target.startswith("unix:"):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(target.removeprefix("unix:"))
    else:
        host, _, port = target.rpartition(":")
        connection = socket.create_connection((host, int(port)))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.settimeout(LIMIT_SECONDS)
    return connection


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _window_update(size: int) -> bytes:
    return _frame(_WINDOW_UPDATE, 0, 0, size.to_bytes(4, "big"))


def _header_blocks(call: Call) -> tuple[bytes, bytes]:
    """HPACK: of the first call, literals that go into the table; of all others, their places in it."""
    headers = {
        ":method": "POST",
        ":scheme": "http",
        ":path": call.path,
        ":authority": call.authority,
        "te": "trailers",
        "content-type": "application/grpc",
        "grpc-timeout": "30S",
        **call.metadata,
    }
    first = b"".join(b"\x40" + _text(name) + _text(value) for name, value in headers.items())
    # The newest entry has the lowest number.
    again = bytes(0x80 | (_STATIC_TABLE + len(headers) - place) for place in range(len(headers)))
    return first, again


def _text(text: str) -> bytes:
    """A string literal without Huffman coding; its length as an integer of a 7-bit prefix (RFC 7541, 5.1)."""
    octets, length = text.encode(), len(text.encode())
    if length < 127:
        return bytes((length,)) + octets
    prefix, length = bytearray((127,)), length - 127
    while length >= 128:
        prefix.append(length % 128 + 128)
        length //= 128
    prefix.append(length)
    return bytes(prefix) + octets
