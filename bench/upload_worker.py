"""A client that sends a file and fetches it again, for `bench.upload`: `python -m bench.upload_worker ADDRESS`.

The bytes are the same piece again and again; what comes back is compared by its size and SHA-256.
"""

import asyncio
import hashlib
import random
import sys
import time
from collections.abc import AsyncIterator

import grpc.aio

from bench.issuer import metadata
from bench.rounds import Sample
from bench.worker import serve
from protos.chat.v1.chat_pb2 import DownloadFileRequest, UploadFilesRequest
from protos.chat.v1.chat_pb2_grpc import ChatServiceStub

MESSAGE_BYTES = 4 << 20
PIECE = random.Random(1).randbytes(512 << 10)
SUBJECT = "0190b0a0-0000-7000-8000-000000000001"


class Client:
    """One channel, and the id of the file that was sent last."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = ChatServiceStub(channel)
        self._metadata = tuple(metadata(subject=SUBJECT).items())
        self._sent = ""

    async def up(self, pieces: int) -> None:
        """Sends a file of so many pieces."""
        digest = hashlib.sha256()

        async def requests() -> AsyncIterator[UploadFilesRequest]:
            for _ in range(pieces):
                digest.update(PIECE)
                yield UploadFilesRequest(data=PIECE)
            yield UploadFilesRequest(name="bench", sha256=digest.hexdigest())

        stored = await self._stub.UploadFiles(requests(), metadata=self._metadata)
        if (stored.size, stored.sha256) != (pieces * len(PIECE), digest.hexdigest()):
            raise RuntimeError(f"another file was stored: {stored}")
        self._sent = stored.id

    async def down(self, pieces: int) -> None:
        """Fetches the file that was sent last."""
        digest, size, sha256 = hashlib.sha256(), 0, ""
        async for response in self._stub.DownloadFile(DownloadFileRequest(id=self._sent), metadata=self._metadata):
            digest.update(response.data)
            size += len(response.data)
            sha256 = response.info.sha256 or sha256
        if (size, digest.hexdigest()) != (pieces * len(PIECE), sha256):
            raise RuntimeError(f"{size} bytes came, not those that were sent")


async def main(address: str) -> None:
    """Bursts until stdin ends; their calls are bytes."""
    options = [("grpc.max_receive_message_length", MESSAGE_BYTES)]
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        client = Client(channel)

        async def burst(*, mib: int, way: str) -> Sample:
            pieces = (mib << 20) // len(PIECE)
            begun, used = time.perf_counter(), time.process_time()
            await (client.up if way == "up" else client.down)(pieces)
            return Sample(mib << 20, time.perf_counter() - begun, time.process_time() - used)

        await serve(burst)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
