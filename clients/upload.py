"""A file to chat, in pieces. It is stored whole and right, or not at all; so a cut upload begins anew.

The one place where the client is not grpc.aio: when a server refuses a stream still written to, grpc.aio may say
INTERNAL instead of what the server said (grpc/grpc#36066), and a file too large must not look like a bug.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import grpc

from clients import reconnect
from clients.channel import OPTIONS, TRANSFER_SECONDS, Gateway
from clients.failure import Failure
from clients.spans import CallSpan
from protos.chat.v1.chat_pb2 import UploadFilesRequest, UploadFilesResponse
from protos.chat.v1.chat_pb2_grpc import ChatServiceStub

PIECE = 256 * 1024
_METHOD = "/chat.v1.ChatService/UploadFiles"
_MOST_TRIES = 5

# Called with the bytes done so far and the whole size, from whatever thread does them.
Progress: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Upload:
    """A file to be sent, as it was when its SHA-256 was taken."""

    path: Path
    content_type: str
    size: int
    sha256: str


def described(path: Path, content_type: str = "") -> Upload:
    """Reads the file once for its size and SHA-256. Raises Failure if it cannot be read."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return Upload(path, content_type, file.tell(), digest)
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}") from None


async def put(gateway: Gateway, upload: Upload, progress: Progress) -> UploadFilesResponse:
    """Sends the file. What the server stored is what was read, or Failure is raised."""
    tries = 1
    while True:
        try:
            stored = await _sent(gateway, upload, progress)
            break
        except grpc.aio.AioRpcError as error:
            if tries == _MOST_TRIES or not reconnect.may_resume(error):
                raise
            await reconnect.pause(tries)
            tries += 1
    if (stored.size, stored.sha256.lower()) != (upload.size, upload.sha256):
        raise Failure(f"{upload.path}: stored {stored.size} bytes with SHA-256 {stored.sha256}: not this file")
    return stored


async def _sent(gateway: Gateway, upload: Upload, progress: Progress) -> UploadFilesResponse:
    """One try, in gRPC's own threads; raises what grpc.aio would."""
    finished = asyncio.Event()
    loop = asyncio.get_running_loop()
    span = CallSpan(_METHOD, gateway.target, streams=True)
    with grpc.insecure_channel(gateway.target, options=OPTIONS) as channel:
        call = ChatServiceStub(channel).UploadFiles.future(
            span.sending(_pieces(upload, progress)),
            metadata=(*gateway.metadata(), *span.metadata),
            timeout=TRANSFER_SECONDS,
        )

        def tell(_: object) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(finished.set)

        call.add_done_callback(tell)
        try:
            await finished.wait()
        finally:
            call.cancel()
            span.received = int(call.code() is grpc.StatusCode.OK)
            span.ended(call.code())
        if call.code() is grpc.StatusCode.OK:
            return call.result()
        trailing = grpc.aio.Metadata(*(call.trailing_metadata() or ()))
        raise grpc.aio.AioRpcError(call.code(), grpc.aio.Metadata(), trailing, call.details())


def _pieces(upload: Upload, progress: Progress) -> Iterator[UploadFilesRequest]:
    sent = 0
    yield UploadFilesRequest(
        name=upload.path.name, content_type=upload.content_type, sha256=upload.sha256, size=upload.size
    )
    with upload.path.open("rb") as file:
        while piece := file.read(PIECE):
            yield UploadFilesRequest(data=piece)
            sent += len(piece)
            progress(sent, upload.size)
