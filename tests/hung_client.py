"""`python -m tests.hung_client MODULE`: a server whose client takes nothing any more, and the end of both.

MODULE has the function `stopped` that ends the server. A process of its own, because what is left behind is not freed
before its end, and because that end is what must come.
"""

import asyncio
import importlib
import sys
import tempfile
from typing import Any

import grpc
import grpc.aio

from bench import http2

ANSWER = bytes(8 << 20)  # many times what a socket holds
TAKEN = 1 << 16


async def main(stopped: Any) -> Any:
    """Returns the client when the server is left: it stays until the process has ended."""
    with tempfile.TemporaryDirectory(prefix="h", dir="/tmp") as folder:
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("t.T", {"Get": _answer()}),))
        server.add_insecure_port(f"unix:{folder}/grpc")
        await server.start()
        client = await asyncio.to_thread(_call, f"unix:{folder}/grpc")
        await stopped(server, grace=0.1, margin=0.2)
    return client


def _answer() -> Any:
    async def answer(_: bytes, __: Any) -> bytes:
        return ANSWER

    return grpc.unary_unary_rpc_method_handler(answer)


def _call(target: str) -> Any:
    """Takes the beginning of the answer: then the server is in the middle of writing it, and all that fits is full."""
    client = http2.connected(target)
    headers, _ = http2.header_blocks("/t.T/Get", "t", "", {})
    asks = http2.frame(http2.HEADERS, http2.END_HEADERS, 1, headers)
    client.sendall(http2.first_words() + asks + http2.frame(http2.DATA, http2.END_STREAM, 1, http2.framed(b"")))
    taken = 0
    while taken < TAKEN:
        taken += len(client.recv(TAKEN))
    return client


if __name__ == "__main__":
    hung = asyncio.run(main(importlib.import_module(sys.argv[1]).stopped))
