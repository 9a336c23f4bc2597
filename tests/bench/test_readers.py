"""bench.readers against a real gRPC server: what is wrong with deliveries is noticed."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from bench import http2
from bench.load import WrongAnswer
from bench.readers import Readers, Stream
from tests.kit import Limit

ONE, TWO, THREE = (bytes([number]) * (40_000 + number) for number in (1, 2, 3))  # each takes several frames


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, list[bytes]]]:
    """Where it listens, and the messages that each stream gets after an empty one."""
    target, sends, over = f"unix:{tmp_path}/grpc", [ONE, TWO, THREE], threading.Event()

    def watch(_: bytes, __: Any) -> Iterator[bytes]:
        yield b""
        yield from sends
        over.wait()

    handlers: dict[str, Any] = {"Watch": grpc.unary_stream_rpc_method_handler(watch)}
    with ThreadPoolExecutor(max_workers=200) as threads:
        running = grpc.server(threads)
        running.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("t.T", handlers)])
        running.add_insecure_port(target)
        running.start()
        yield target, sends
        over.set()
        running.stop(None).wait(1)


@contextmanager
def reading(target: str, count: int, expected: list[bytes]) -> Iterator[Readers]:
    """Readers who expect these messages."""
    readers = Readers(target, Stream("/t.T/Watch", b"", {}), count, expected)
    try:
        yield readers
    finally:
        readers.close()


async def read(target: str, count: int, expected: list[bytes]) -> None:
    """Reads as many messages as are expected, in another thread: it blocks."""

    def made() -> None:
        with reading(target, count, expected) as readers:
            readers.until(len(expected))

    await asyncio.to_thread(made)


async def test_every_reader_gets_all_messages_in_order(server: tuple[str, list[bytes]]) -> None:
    await read(server[0], 150, [ONE, TWO, THREE])


async def test_messages_that_are_joined_are_the_same_messages(server: tuple[str, list[bytes]]) -> None:
    target, sends = server
    sends[:] = [ONE + TWO, THREE]
    await read(target, 2, [ONE, TWO, THREE])


@pytest.mark.parametrize(
    "sends",
    [[ONE, THREE], [ONE, ONE, TWO, THREE], [TWO, ONE, THREE], [ONE, TWO[:-1] + b"x", THREE]],
    ids=["missing", "doubled", "crossed", "changed"],
)
async def test_a_wrong_delivery_is_an_error(server: tuple[str, list[bytes]], sends: list[bytes]) -> None:
    target, sent = server
    sent[:] = sends
    with pytest.raises(WrongAnswer, match="something else"):
        await read(target, 2, [ONE, TWO, THREE])


async def test_readers_who_cannot_begin_leave_no_connection(tmp_path: Path) -> None:
    with socket.create_server(f"{tmp_path}/grpc", family=socket.AF_UNIX) as server:
        beginning = asyncio.create_task(
            asyncio.to_thread(Readers, f"unix:{tmp_path}/grpc", Stream("/t.T/Watch", b"", {}), 1)
        )
        peer, _ = await asyncio.to_thread(server.accept)
    with peer:
        peer.sendall(http2.frame(http2.GOAWAY, 0, 0, bytes(8)))
        with pytest.raises(WrongAnswer) as failure:
            await beginning
        peer.settimeout(Limit.SOON.value)
        while await asyncio.to_thread(peer.recv, 1 << 16):
            pass
    assert failure.value.__traceback__, "nor does the error, and all that it was raised in, hold one open"


async def test_a_stream_that_ends_is_an_error(server: tuple[str, list[bytes]]) -> None:
    with pytest.raises(WrongAnswer, match="a stream has ended"):
        await asyncio.to_thread(lambda: Readers(server[0], Stream("/t.T/NoSuch", b"", {}), 1))
