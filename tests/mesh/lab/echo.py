"""The echo server: it does as the request says and answers what it saw. Requests and answers are JSON in bytes.

A request: {"key": …, "fail": "UNAVAILABLE", "times": 2, "delay": 0.5, "after_headers": false, "via": {…}}
  fail, times    fail the first `times` calls with this `key` at this replica group (all: no `times`)
  delay          wait so many seconds first
  where          fail and delay only in pods of this version
  via            do not answer: call a peer with this request and answer what it answered
  to, path       of via: the variable that names the peer (TARGET), and the method (/lab.Echo/Read)
  headers        of via: what to send with it
  knock          do not answer: open a TCP connection to the peer that this variable names, send `say` (hexadecimal),
                 and answer {"heard": hexadecimal, "closed": whether the peer hung up}: then, or when `until`
                 (hexadecimal) is heard, or after 20 s
An answer: {"pod": …, "version": …, "path": the method that was called (any but Stream will do), "headers": {…},
            "calls": how often this pod saw the key, "at": [monotonic seconds]}

    python -m tests.mesh.lab.echo      # LISTEN, TARGET (and further peers), POD_NAME, POD_VERSION from the environment
"""

import asyncio
import contextlib
import json
import os
import signal
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from functools import partial
from typing import Any

import grpc
from grpc_health.v1 import health_pb2
from grpc_health.v1._async import HealthServicer
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server

SERVICE = "lab.Echo"
Context = grpc.aio.ServicerContext[bytes, bytes]


class Echo(grpc.GenericRpcHandler):
    """Counts calls by key and does as it is told."""

    def __init__(self, pod: str, version: str, peers: Mapping[str, str]) -> None:
        self.pod, self.version, self.peers = pod, version, peers
        self.seen: dict[str, list[float]] = defaultdict(list)
        self.channels: dict[str, grpc.aio.Channel] = {}

    def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":
        """Every method is answered: what a path may become on the way is not known here."""
        form = {"request_deserializer": bytes, "response_serializer": bytes}
        if details.method == f"/{SERVICE}/Stream":
            return grpc.unary_stream_rpc_method_handler(self.stream, **form)
        return grpc.unary_unary_rpc_method_handler(partial(self.unary, details.method), **form)

    async def unary(self, path: str, request: bytes, context: Context) -> bytes:
        """One call."""
        asked: dict[str, Any] = json.loads(request or b"{}")
        if "via" in asked:
            return await self.forward(asked, context)
        if "knock" in asked:
            say, until = (bytes.fromhex(asked.get(name, "")) for name in ("say", "until"))
            return await self.knock(self.peers[asked["knock"]], say, until)
        calls = self.seen[asked.get("key", "")]
        calls.append(time.monotonic())
        if asked.get("peek"):
            calls.pop()
        elif asked.get("where", self.version) == self.version:
            await self.misbehave(asked, len(calls), context)
        return self.answer(path, gathered(context.invocation_metadata() or ()), calls)

    async def misbehave(self, asked: dict[str, Any], calls: int, context: Context) -> None:
        """Wait and fail as asked."""
        if "delay" in asked and calls <= asked.get("times", calls):
            await asyncio.sleep(asked["delay"])
        if "fail" in asked and calls <= asked.get("times", calls):
            if asked.get("after_headers"):
                await context.send_initial_metadata((("x-began", "yes"),))
            await context.abort(grpc.StatusCode[asked["fail"]], "as asked")

    async def forward(self, asked: dict[str, Any], context: Context) -> bytes:
        """Call a peer through this pod's sidecar and pass on its answer, its status and its headers."""
        peer = asked.get("to", "TARGET")
        if peer not in self.channels:
            options = [("grpc.enable_retries", 0)]
            self.channels[peer] = grpc.aio.insecure_channel(self.peers[peer], options=options)
        path = asked.get("path", f"/{SERVICE}/Read")
        call = self.channels[peer].unary_unary(path, request_serializer=bytes, response_deserializer=bytes)(
            json.dumps(asked["via"]).encode(),
            metadata=list(asked.get("headers", {}).items()),
            timeout=asked.get("timeout", 20),
        )
        try:
            reply = await call
        except grpc.aio.AioRpcError as error:
            await context.abort(error.code(), f"peer: {error.details()}")
        received = gathered(await call.initial_metadata() or ())
        return json.dumps(json.loads(reply) | {"received": received}).encode()

    async def knock(self, peer: str, say: bytes, until: bytes) -> bytes:
        """What a bare TCP connection through this pod's sidecar hears."""
        host, _, port = peer.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        heard, closed = b"", False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(20):
                try:
                    writer.write(say)
                    while not (until and until in heard) and not closed:
                        piece = await reader.read(1000)
                        heard, closed = heard + piece, not piece
                except ConnectionError:
                    closed = True
        writer.close()
        return json.dumps({"heard": heard.hex(), "closed": closed}).encode()

    async def stream(self, request: bytes, context: Context) -> AsyncIterator[bytes]:
        """Answer five times a second until cancelled: a stream that lives long."""
        while True:
            yield self.answer(f"/{SERVICE}/Stream", {}, [])
            await asyncio.sleep(0.2)

    def answer(self, path: str, headers: dict[str, str], calls: list[float]) -> bytes:
        """What this pod saw."""
        told = {"pod": self.pod, "version": self.version, "path": path, "headers": headers}
        return json.dumps(told | {"calls": len(calls), "at": calls}).encode()


def gathered(metadata: Iterable[tuple[str, str | bytes]]) -> dict[str, str]:
    """Headers by name; of a name that comes more than once, all values in their order, joined by commas."""
    found: dict[str, str] = {}
    for name, value in metadata:
        if isinstance(value, str):
            found[name] = f"{found[name]},{value}" if name in found else value
    return found


async def serve() -> None:
    """Until SIGTERM."""
    environment = os.environ
    echo = Echo(environment["POD_NAME"], environment["POD_VERSION"], environment)
    server = grpc.aio.server()
    health = HealthServicer()
    add_HealthServicer_to_server(health, server)
    server.add_generic_rpc_handlers((echo,))
    await health.set("", health_pb2.HealthCheckResponse.SERVING)
    server.add_insecure_port(environment["LISTEN"])
    await server.start()
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    await over.wait()
    await server.stop(grace=1)


if __name__ == "__main__":
    asyncio.run(serve())
