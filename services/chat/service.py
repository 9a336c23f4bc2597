"""chat.v1.ChatService: which method is done by whom, and how its messages become bytes."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio

from protos.chat.v1 import chat_pb2, chat_pb2_grpc
from services.chat.conversations import Conversations
from services.chat.history import History
from services.chat.transfers import Transfers

NAME: str = chat_pb2.DESCRIPTOR.services_by_name["ChatService"].full_name


class ChatService(chat_pb2_grpc.ChatServiceServicer):
    """The servicer. Every method reports failures by raising a services.common.errors.DomainError."""

    def __init__(self, conversations: Conversations, history: History, transfers: Transfers) -> None:
        self._conversations = conversations
        self._history = history
        self._transfers = transfers

    async def Chat(self, request_iterator: AsyncIterator[chat_pb2.ChatRequest], context: Any) -> None:  # type: ignore[override]
        """See the contract."""
        await self._conversations.chat(request_iterator, context)

    async def WatchRoom(self, request: chat_pb2.WatchRoomRequest, context: Any) -> None:  # type: ignore[override]
        """See the contract."""
        await self._conversations.watch(request, context)

    async def SendMessage(self, request: chat_pb2.SendMessageRequest, context: Any) -> chat_pb2.Message:
        """See the contract."""
        return await self._history.send(request)

    async def ListMessages(self, request: chat_pb2.ListMessagesRequest, context: Any) -> chat_pb2.ListMessagesResponse:
        """See the contract."""
        return await self._history.page(request)

    async def UploadFiles(
        self, request_iterator: AsyncIterator[chat_pb2.UploadFilesRequest], context: Any
    ) -> chat_pb2.UploadFilesResponse:
        """See the contract."""
        return await self._transfers.upload(request_iterator)

    async def DownloadFile(self, request: chat_pb2.DownloadFileRequest, context: Any) -> None:  # type: ignore[override]
        """See the contract."""
        await self._transfers.download(request, context)


def register(service: ChatService, server: grpc.aio.Server) -> None:
    """Adds the service to a server.

    By hand, not by the generated function, because Chat and WatchRoom give bytes: an event is serialised once for all
    its readers, and WatchRoom joins those that wait into one response.
    """
    handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        "Chat": grpc.stream_stream_rpc_method_handler(service.Chat, chat_pb2.ChatRequest.FromString, _as_it_is),
        "WatchRoom": grpc.unary_stream_rpc_method_handler(
            service.WatchRoom, chat_pb2.WatchRoomRequest.FromString, _as_it_is
        ),
        "SendMessage": grpc.unary_unary_rpc_method_handler(
            service.SendMessage, chat_pb2.SendMessageRequest.FromString, chat_pb2.Message.SerializeToString
        ),
        "ListMessages": grpc.unary_unary_rpc_method_handler(
            service.ListMessages,
            chat_pb2.ListMessagesRequest.FromString,
            chat_pb2.ListMessagesResponse.SerializeToString,
        ),
        "UploadFiles": grpc.stream_unary_rpc_method_handler(
            service.UploadFiles,
            chat_pb2.UploadFilesRequest.FromString,
            chat_pb2.UploadFilesResponse.SerializeToString,
        ),
        "DownloadFile": grpc.unary_stream_rpc_method_handler(
            service.DownloadFile,
            chat_pb2.DownloadFileRequest.FromString,
            chat_pb2.DownloadFileResponse.SerializeToString,
        ),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, handlers),))


def _as_it_is(response: bytes) -> bytes:
    return response
