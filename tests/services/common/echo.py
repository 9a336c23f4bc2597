"""A service with all four kinds of call that does what its requests say, in each style that a handler can have."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
import grpc.aio

from protos.chat.v1 import chat_pb2, chat_pb2_grpc
from services.common import deadline, identity
from services.common.drain import Drain
from services.common.errors import NotFound, Resource

NAME = chat_pb2.DESCRIPTOR.services_by_name["ChatService"].full_name
KINDS = ("unary", "client_stream", "server_stream", "bidi_stream")
METHODS = dict(zip(KINDS, ("SendMessage", "UploadFiles", "WatchRoom", "Chat"), strict=True))
SECRET = "select password from users"


class Echo(chat_pb2_grpc.ChatServiceServicer):
    """Streams by async generators."""

    def __init__(self, drain: Drain) -> None:
        self.drain = drain
        self.waiting = 0
        self.seen_seconds: float | None = None

    async def act(self, command: str, context: Any) -> None:
        """What a request asks for: an error, a wait, or nothing."""
        self.seen_seconds = deadline.remaining_seconds()
        match command:
            case "missing":
                raise NotFound("THING_NOT_FOUND", "no {thing}", resource=Resource("t", "x"), thing="x")
            case "fail":
                raise ValueError(SECRET)
            case "cancel":
                raise asyncio.CancelledError
            case "abort":
                await context.abort(grpc.StatusCode.ABORTED, "by hand")
            case "until.the.drain":
                self.waiting += 1
                await self.drain.wait()
            case "wait":
                self.waiting += 1
                try:
                    await asyncio.Event().wait()
                finally:
                    self.waiting -= 1

    async def SendMessage(self, request: chat_pb2.SendMessageRequest, context: Any) -> chat_pb2.Message:
        await self.act(request.room, context)
        return chat_pb2.Message(text=request.text, sender_id=identity.current().subject)

    async def WatchRoom(self, request: chat_pb2.WatchRoomRequest, context: Any) -> AsyncIterator[Any]:
        await self.act(request.room if request.resume_after == 0 else "", context)
        for _ in range(2):
            yield chat_pb2.WatchRoomResponse()
        await self.act(request.room, context)
        if request.room == "live":
            with self.drain.life() as life:
                await life.wait()
                raise life.ended(resume_after=7)

    async def UploadFiles(self, requests: AsyncIterator[Any], context: Any) -> chat_pb2.UploadFilesResponse:
        size = 0
        async for request in requests:
            await self.act(request.name, context)
            size += len(request.data)
        return chat_pb2.UploadFilesResponse(size=size)

    async def Chat(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        async for request in requests:
            await self.act(request.room, context)
            yield chat_pb2.ChatResponse(text=request.text)

    async def ListMessages(self, request: chat_pb2.ListMessagesRequest, context: Any) -> chat_pb2.ListMessagesResponse:
        return chat_pb2.ListMessagesResponse()

    async def DownloadFile(self, request: chat_pb2.DownloadFileRequest, context: Any) -> AsyncIterator[Any]:
        yield chat_pb2.DownloadFileResponse()


class WritingEcho(Echo):
    """Streams by context.read and context.write."""

    async def WatchRoom(self, request: chat_pb2.WatchRoomRequest, context: Any) -> None:  # type: ignore[override]
        async for response in super().WatchRoom(request, context):
            await context.write(response)

    async def UploadFiles(self, requests: Any, context: Any) -> chat_pb2.UploadFilesResponse:
        return await super().UploadFiles(_read(context), context)

    async def Chat(self, requests: Any, context: Any) -> None:  # type: ignore[override]
        async for response in super().Chat(_read(context), context):
            await context.write(response)


async def _read(context: Any) -> AsyncIterator[Any]:
    while (request := await context.read()) is not grpc.aio.EOF:
        yield request


def start(
    stub: Any, kind: str, command: str = "ok", *, metadata: Any = (), timeout: float | None = None, messages: int = 1
) -> Any:
    """Begins a call of this kind that carries out `command`; with two messages the last one carries it."""
    given = {"metadata": metadata, "timeout": timeout}
    commands = ["ok"] * (messages - 1) + [command]
    match kind:
        case "unary":
            return stub.SendMessage(chat_pb2.SendMessageRequest(room=command, text="hi"), **given)
        case "server_stream":
            after = 0 if messages == 1 else 1
            return stub.WatchRoom(chat_pb2.WatchRoomRequest(room=command, resume_after=after), **given)
        case "client_stream":
            return stub.UploadFiles(
                _each(chat_pb2.UploadFilesRequest(name=one, data=b"1") for one in commands), **given
            )
        case _:
            return stub.Chat(_each(chat_pb2.ChatRequest(room=one, text="hi") for one in commands), **given)


async def finish(call: Any) -> Sequence[Any]:
    """All responses. Raises AioRpcError."""
    if hasattr(call, "__await__"):
        return [await call]
    return [response async for response in call]


async def _each(requests: Any) -> AsyncIterator[Any]:
    for request in requests:
        yield request
