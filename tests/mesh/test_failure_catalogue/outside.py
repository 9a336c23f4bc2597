"""Servers outside the mesh that fail their callers. Each hangs up on nobody: what a caller sees is what they say."""

import contextlib
import socket
import socketserver
import struct
import threading
from collections.abc import Iterator

_PREFACE = 24  # bytes that a client of HTTP/2 begins with (RFC 9113, 3.4)
_HEADERS, _RST_STREAM, _SETTINGS = 1, 3, 4  # types of frames (6)
_CANCEL = 8  # an error code (7)


class Refusing(socketserver.BaseRequestHandler):
    """Speaks HTTP/1 whatever it is told, and answers 403 as soon as a request has begun."""

    answer = b"403 Forbidden"

    def handle(self) -> None:
        """One connection, until the client ends it."""
        with contextlib.suppress(ConnectionError):
            while self.request.recv(65536):
                self.request.sendall(b"HTTP/1.1 " + self.answer + b"\r\ncontent-length: 0\r\n\r\n")


class Hasty(Refusing):
    """Answers 200 as soon."""

    answer = b"200 OK"


class Resetting(socketserver.StreamRequestHandler):
    """Speaks HTTP/2, and resets every call."""

    def handle(self) -> None:
        """One connection, until the client ends it."""
        with contextlib.suppress(ConnectionError):
            self.rfile.read(_PREFACE)
            self.wfile.write(_frame(_SETTINGS, 0, b""))
            while len(head := self.rfile.read(9)) == 9:
                length, kind, stream = int.from_bytes(head[:3]), head[3], int.from_bytes(head[5:])
                self.rfile.read(length)
                if kind == _HEADERS:
                    self.wfile.write(_frame(_RST_STREAM, stream, struct.pack(">I", _CANCEL)))


def _frame(kind: int, stream: int, payload: bytes) -> bytes:
    """A frame without flags (RFC 9113, 4.1)."""
    return len(payload).to_bytes(3) + struct.pack(">BBI", kind, 0, stream) + payload


@contextlib.contextmanager
def serving(handler: type[socketserver.BaseRequestHandler]) -> Iterator[int]:
    """The port of 127.0.0.1 at which such a server listens."""

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True  # proxies keep their connections

    with Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield port_of(server.socket)
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def nobody() -> Iterator[int]:
    """A port of 127.0.0.1 at which nobody listens; it is taken, so that nobody begins to."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield port_of(taken)


def port_of(bound: socket.socket) -> int:
    """The port of a socket."""
    return int(bound.getsockname()[1])
