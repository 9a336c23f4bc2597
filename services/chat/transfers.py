"""The streams that carry files: UploadFiles and DownloadFile."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from protos.chat.v1 import chat_pb2
from services.chat.drafts import no_null
from services.chat.events import timestamp
from services.chat.files import Files, Piece, StoredFile
from services.common import identity
from services.common.drain import Drain
from services.common.errors import DeadlineExceeded, NotFound, OutOfRange, Resource


@dataclass(frozen=True, slots=True)
class Pace:
    """How slow an upload may be, in seconds: it holds a connection to the database all the while."""

    piece: float = 10.0
    whole: float = 1800.0


class Transfers:
    """UploadFiles and DownloadFile; memory for one piece at a time, whatever the file's size."""

    def __init__(self, *, files: Files, drain: Drain, pace: Pace) -> None:
        self._files = files
        self._drain = drain
        self._pace = pace

    async def upload(self, requests: AsyncIterator[chat_pb2.UploadFilesRequest]) -> chat_pb2.UploadFilesResponse:
        """UploadFiles. A replica that stops lets it finish, as far as its grace allows: it cannot be resumed."""
        try:
            async with asyncio.timeout(self._pace.whole):
                file = await self._files.store(identity.current().subject, self._pieces(requests))
        except TimeoutError:
            raise _too_slow(self._pace.whole) from None
        return chat_pb2.UploadFilesResponse(id=str(file.id), size=file.size, sha256=file.sha256)

    async def _pieces(self, requests: AsyncIterator[chat_pb2.UploadFilesRequest]) -> AsyncIterator[Piece]:
        while True:
            try:
                async with asyncio.timeout(self._pace.piece):
                    request = await anext(requests, None)
            except TimeoutError:
                raise _too_slow(self._pace.piece) from None
            if request is None:
                return
            no_null(name=request.name, content_type=request.content_type)
            yield Piece(
                data=request.data,
                name=request.name,
                content_type=request.content_type,
                sha256=request.sha256,
                size=request.size if request.HasField("size") else None,
            )

    async def download(self, request: chat_pb2.DownloadFileRequest, context: Any) -> None:
        """DownloadFile; `resume_after` of an ended stream is the offset to go on from."""
        file = await self._files.find(UUID(request.id))
        if file is None:
            raise NotFound(
                "FILE_NOT_FOUND", "there is no file {id}", resource=Resource("chat.v1.File", request.id), id=request.id
            )
        if request.offset > file.size:
            raise OutOfRange(
                "OFFSET_PAST_END",
                "the file has {size} bytes, less than {offset}",
                size=file.size,
                offset=request.offset,
            )
        sent = request.offset
        with self._drain.life() as life:
            info: chat_pb2.FileInfo | None = _info(file)
            async for data in self._files.read(file, request.offset):
                if life.over:
                    raise life.ended(resume_after=sent)
                await context.write(chat_pb2.DownloadFileResponse(data=data, info=info))
                info = None
                sent += len(data)
            if info is not None:  # there was nothing to read
                await context.write(chat_pb2.DownloadFileResponse(info=info))


def _info(file: StoredFile) -> chat_pb2.FileInfo:
    return chat_pb2.FileInfo(
        id=str(file.id),
        name=file.name,
        content_type=file.content_type,
        size=file.size,
        sha256=file.sha256,
        owner_id=file.owner_id,
        create_time=timestamp(file.create_time),
    )


def _too_slow(seconds: float) -> DeadlineExceeded:
    return DeadlineExceeded("UPLOAD_TOO_SLOW", "the upload took more than {seconds} s", seconds=f"{seconds:g}")
