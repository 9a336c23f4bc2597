"""Files to and from chat: in pieces, with the size and SHA-256 checked on both ways.

An upload is all or nothing, so a cut one begins anew; a download goes on where it was cut, within one run and across
runs: what has come lies in .ID.part until the whole is known to be right.
"""

import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import grpc

from clients import reconnect
from clients.channel import TRANSFER_SECONDS, Gateway
from clients.failure import Failure
from protos.chat.v1.chat_pb2 import (
    DownloadFileRequest,
    DownloadFileResponse,
    FileInfo,
    UploadFilesRequest,
    UploadFilesResponse,
)

PIECE = 256 * 1024
_MOST_TRIES = 5

# Called with the bytes done so far and the whole size.
Progress: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Upload:
    """A file to be sent, as it was when its SHA-256 was taken."""

    path: Path
    name: str
    content_type: str
    size: int
    sha256: str


def described(path: Path, content_type: str) -> Upload:
    """Reads the file once for its size and SHA-256. Raises Failure if it cannot be read."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return Upload(path, path.name, content_type, file.tell(), digest)
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}") from None


async def put(gateway: Gateway, upload: Upload, progress: Progress) -> UploadFilesResponse:
    """Sends the file. What the server stored is what was read, or Failure is raised."""
    for attempt in range(1, _MOST_TRIES + 1):
        try:
            stored = await gateway.chat.UploadFiles(
                _pieces(upload, progress), metadata=gateway.metadata(), timeout=TRANSFER_SECONDS
            )
        except grpc.aio.AioRpcError as error:
            if attempt == _MOST_TRIES or not reconnect.may_resume(error):
                raise
            await reconnect.pause(attempt)
        else:
            if (stored.size, stored.sha256.lower()) != (upload.size, upload.sha256):
                raise Failure(f"{upload.path}: stored {stored.size} bytes with SHA-256 {stored.sha256}: not this file")
            return stored
    raise AssertionError("the last attempt returns or raises")


async def _pieces(upload: Upload, progress: Progress) -> AsyncIterator[UploadFilesRequest]:
    sent = 0
    yield UploadFilesRequest(name=upload.name, content_type=upload.content_type, sha256=upload.sha256, size=upload.size)
    with upload.path.open("rb") as file:
        while piece := file.read(PIECE):
            yield UploadFilesRequest(data=piece)
            sent += len(piece)
            progress(sent, upload.size)


async def get(gateway: Gateway, file_id: str, into: Path, progress: Progress) -> tuple[Path, FileInfo]:
    """Fetches a file to the path `into`, or under its own name into the folder `into`. Returns where it is.

    Raises Failure if what came is not what was stored, and where the file's own name is taken already.
    """
    folder = into if into.is_dir() else None  # noqa: ASYNC240  # this program waits for nothing else meanwhile
    part = (folder or into.parent) / f".{file_id}.part"
    info = FileInfo()
    try:
        with part.open("ab") as file:
            async for response in _resumed(gateway, file_id, file.tell()):
                if response.HasField("info"):
                    info = response.info
                file.write(response.data)
                progress(file.tell(), info.size)
        whole = described(part, info.content_type)
        if (whole.size, whole.sha256) != (info.size, info.sha256.lower()):
            part.unlink()
            raise Failure(f"{file_id}: {whole.size} bytes with SHA-256 {whole.sha256} came: not what was stored")
        path = _free_place(folder, info) if folder else into
        return part.replace(path), info
    except OSError as error:
        raise Failure(f"{error.filename or part}: {error.strerror}") from None


async def _resumed(gateway: Gateway, file_id: str, offset: int) -> AsyncIterator[DownloadFileResponse]:
    """The file from `offset` to its end, over as many streams as it takes."""
    tries = 0
    while True:
        try:
            request = DownloadFileRequest(id=file_id, offset=offset)
            async for response in gateway.chat.DownloadFile(
                request, metadata=gateway.metadata(), timeout=TRANSFER_SECONDS
            ):
                offset += len(response.data)
                tries = 0 if response.data else tries
                yield response
            return
        except grpc.aio.AioRpcError as error:
            tries += 1
            if tries == _MOST_TRIES or not reconnect.may_resume(error):
                raise
            await reconnect.pause(tries)


def _free_place(folder: Path, info: FileInfo) -> Path:
    """Where the file goes by its own name, of which only the last part counts: it is somebody else's word."""
    name = Path(info.name).name
    path = folder / (name if name not in ("", "..") else info.id)
    if path.exists():
        raise Failure(f"{path} exists already\n  try: -o PATH")
    return path
