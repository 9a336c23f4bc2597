"""The least that can take and give a file: grpc.aio, chat's messages, no interceptor, no checksum, no store.

`python -m bench.bare_stream ADDRESS`: what was sent last is what can be fetched, and an upload is answered with the
size that came and the checksum that the client told.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio

from bench.upload_worker import MESSAGE_BYTES, PIECE
from protos.chat.v1.chat_pb2 import (
    DownloadFileRequest,
    DownloadFileResponse,
    FileInfo,
    UploadFilesRequest,
    UploadFilesResponse,
)


async def main(address: str) -> None:
    """Serves until it is ended."""
    last = UploadFilesResponse(id="bare")

    async def upload(requests: AsyncIterator[UploadFilesRequest], context: Any) -> UploadFilesResponse:
        size = 0
        async for request in requests:
            size += len(request.data)
            last.sha256 = request.sha256 or last.sha256
        last.size = size
        return last

    async def download(request: DownloadFileRequest, context: Any) -> AsyncIterator[DownloadFileResponse]:
        for start in range(0, last.size, len(PIECE)):
            info = None if start else FileInfo(size=last.size, sha256=last.sha256)
            yield DownloadFileResponse(data=PIECE, info=info)

    handlers: dict[str, Any] = {
        "UploadFiles": grpc.stream_unary_rpc_method_handler(
            upload, UploadFilesRequest.FromString, UploadFilesResponse.SerializeToString
        ),
        "DownloadFile": grpc.unary_stream_rpc_method_handler(
            download, DownloadFileRequest.FromString, DownloadFileResponse.SerializeToString
        ),
    }
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", MESSAGE_BYTES)])
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("chat.v1.ChatService", handlers)])
    server.add_insecure_port(address)
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
