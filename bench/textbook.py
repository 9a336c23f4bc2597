"""A chat server as an introduction to gRPC would have it: for each event, one write to each reader.

`python -m bench.textbook` runs as a pod of the mesh of `make bench-fanout`, beside chat, and gets its events as chat
does, from NATS. It also publishes there what `Publish` gives it, for both contenders: as another replica would.
"""

import asyncio
import os
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
import nats
from nats.aio.client import Client
from nats.aio.msg import Msg

from protos.chat.v1 import chat_pb2

SUBJECT = "chat.room."
PUBLISH = "/bench.Source/Publish"


class Textbook:
    """WatchRoom, and nothing else of chat."""

    def __init__(self, broker: Client) -> None:
        self._broker = broker
        self._readers: dict[str, set[asyncio.Queue[chat_pb2.Message]]] = defaultdict(set)

    async def watch(
        self, request: chat_pb2.WatchRoomRequest, context: Any
    ) -> AsyncIterator[chat_pb2.WatchRoomResponse]:
        """The room's messages from now on; the first response is empty, as chat's is."""
        queue: asyncio.Queue[chat_pb2.Message] = asyncio.Queue()
        await self._follow(request.room)
        self._readers[request.room].add(queue)
        try:
            yield chat_pb2.WatchRoomResponse()
            while True:
                yield chat_pb2.WatchRoomResponse(messages=[await queue.get()])
        finally:
            self._readers[request.room].discard(queue)

    async def publish(self, request: chat_pb2.WatchRoomResponse, _: Any) -> chat_pb2.WatchRoomResponse:
        """Publishes each message of the request."""
        for message in request.messages:
            event = chat_pb2.WatchRoomResponse(messages=[message])
            await self._broker.publish(SUBJECT + message.room, event.SerializeToString())
        return chat_pb2.WatchRoomResponse()

    async def _follow(self, room: str) -> None:
        if room not in self._readers:
            self._readers[room] = set()
            await self._broker.subscribe(SUBJECT + room, cb=self._received)

    async def _received(self, received: Msg) -> None:
        for message in chat_pb2.WatchRoomResponse.FromString(received.data).messages:
            for queue in self._readers[message.room]:
                queue.put_nowait(message)


async def main() -> None:
    """Serves until it is ended."""
    broker = await nats.connect(os.environ["NATS_URL"], token=os.environ["NATS_TOKEN"])
    textbook, server = Textbook(broker), grpc.aio.server()
    watch = grpc.unary_stream_rpc_method_handler(
        textbook.watch,
        chat_pb2.WatchRoomRequest.FromString,
        chat_pb2.WatchRoomResponse.SerializeToString,
    )
    publish = grpc.unary_unary_rpc_method_handler(
        textbook.publish,
        chat_pb2.WatchRoomResponse.FromString,
        chat_pb2.WatchRoomResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler("chat.v1.ChatService", {"WatchRoom": watch}),
            grpc.method_handlers_generic_handler("bench.Source", {"Publish": publish}),
        )
    )
    server.add_insecure_port(os.environ["GRPC_LISTEN"])
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main())
