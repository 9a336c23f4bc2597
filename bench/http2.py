"""As much HTTP/2 (RFC 9113) as the load clients speak: frames, a connection's first words, headers without a library.

Headers go into the connection's HPACK table with the first call and are a byte each afterwards, as with any client. Our
own table is declared to be empty, and our receive windows are as large as they can be.
"""

import socket
import struct
from collections.abc import Mapping

LIMIT_SECONDS = 60.0

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, ACK, END_HEADERS = 1, 1, 4
LARGEST_WINDOW = (1 << 31) - 1
FIRST_WINDOW = 65_535
LARGEST_FRAME = 16_384
STATIC_TABLE = 61  # entries of HPACK's static table (RFC 7541, appendix A)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def first_words() -> bytes:
    """What a client's connection begins with: no table, no pushes, the largest windows."""
    settings = struct.pack(">HIHIHI", 1, 0, 2, 0, 4, LARGEST_WINDOW)
    return PREFACE + frame(SETTINGS, 0, 0, settings) + window_update(LARGEST_WINDOW - FIRST_WINDOW)


def framed(message: bytes) -> bytes:
    """A message as gRPC puts it into DATA frames: a byte for "not compressed", and its length."""
    return struct.pack(">BI", 0, len(message)) + message


def connected(target: str) -> socket.socket:
    """A connection to `host:port` or `unix:/path`."""
    if target.startswith("unix:"):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(target.removeprefix("unix:"))
    else:
        host, _, port = target.rpartition(":")
        connection = socket.create_connection((host, int(port)))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.settimeout(LIMIT_SECONDS)
    return connection


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """One frame (RFC 9113, 4.1)."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def window_update(size: int) -> bytes:
    """So many bytes more may come on the whole connection."""
    return frame(WINDOW_UPDATE, 0, 0, size.to_bytes(4, "big"))


def header_blocks(path: str, authority: str, timeout: str, metadata: Mapping[str, str]) -> tuple[bytes, bytes]:
    """HPACK: of the first call, literals that go into the table; of all others, their places in it.

    `timeout` as gRPC writes it (`30S`); empty: none.
    """
    headers = {
        ":method": "POST",
        ":scheme": "http",
        ":path": path,
        ":authority": authority,
        "te": "trailers",
        "content-type": "application/grpc",
        **({"grpc-timeout": timeout} if timeout else {}),
        **metadata,
    }
    first = b"".join(b"\x40" + _text(name) + _text(value) for name, value in headers.items())
    # The newest entry has the lowest number.
    again = bytes(0x80 | (STATIC_TABLE + len(headers) - place) for place in range(len(headers)))
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
