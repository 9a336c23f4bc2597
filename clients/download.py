"""A file from chat, in pieces, checked by its size and SHA-256.

A cut download goes on where it was, within one run and across runs: what has come lies in .ID.part until the whole is
known to be right.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc

from clients import reconnect
from clients.channel import TRANSFER_SECONDS, Gateway
from clients.failure import Failure
from clients.upload import Progress, described
from protos.chat.v1.chat_pb2 import DownloadFileRequest, DownloadFileResponse, FileInfo

_MOST_TRIES = 5


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
        whole = described(part)
        if (whole.size, whole.sha256) != (info.size, info.sha256.lower()):
            part.unlink()
            raise Failure(f"{file_id}: {whole.size} bytes with SHA-256 {whole.sha256} came: not what was stored")
        path = _free_place(folder, info) if folder else into
        return part.replace(path), info
    except grpc.aio.AioRpcError:
        if not part.stat().st_size:
            part.unlink()
        raise
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
