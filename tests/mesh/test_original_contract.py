"""A client built from the original, unversioned contract (original.proto, word for word) works through the gateway."""

import hashlib
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message
from grpc_tools import protoc

from protos.chat.v1.chat_pb2 import DownloadFileRequest
from tests.mesh.backend import Mesh
from tests.mesh.conftest import Somebody, bearer


class Original:
    """The messages and methods of the original file, kept apart from the versioned stubs in a pool of their own."""

    def __init__(self, channel: grpc.aio.Channel, folder: Path) -> None:
        here = Path(__file__).parent
        assert protoc.main(["protoc", f"-I{here}", f"-o{folder / 'original.binpb'}", "original.proto"]) == 0
        files = descriptor_pb2.FileDescriptorSet.FromString((folder / "original.binpb").read_bytes())
        self.pool = descriptor_pool.DescriptorPool()
        self.pool.Add(files.file[0])
        self.channel = channel

    def message(self, name: str, /, **fields: Any) -> Any:
        """A message of the original file."""
        return self.kind(name)(**fields)

    def kind(self, name: str) -> type[Message]:
        """Its class."""
        return message_factory.GetMessageClass(self.pool.FindMessageTypeByName(name))

    def method(self, service: str, name: str) -> Any:
        """A method, ready to be called, with the kind of streaming that the file says."""
        method = self.pool.FindServiceByName(service).methods_by_name[name]
        streams = ("unary", "stream")
        kind = f"{streams[method.client_streaming]}_{streams[method.server_streaming]}"
        return getattr(self.channel, kind)(
            f"/{service}/{name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=self.kind(method.output_type.name).FromString,
        )


@pytest.fixture
def original(channel: grpc.aio.Channel, tmp_path: Path) -> Original:
    """The original client, at the gateway."""
    return Original(channel, tmp_path)


async def test_a_user_is_created_read_and_listed(mesh: Mesh, original: Original) -> None:
    metadata = bearer(mesh.token("operator"))
    name = f"old-{uuid.uuid4().hex[:8]}"
    request = original.message("CreateUserRequest", name=name, email=f"{name}@example.com")
    made = await original.method("UserService", "CreateUser")(request, metadata=metadata, timeout=10)
    read = await original.method("UserService", "GetUser")(
        original.message("UserId", id=made.id), metadata=metadata, timeout=10
    )
    assert (read.id, read.name, read.email) == (made.id, name, f"{name}@example.com")
    listed = original.method("UserService", "ListUsers")(original.message("Empty"), metadata=metadata, timeout=30)
    assert made.id in [user.id async for user in listed]


async def test_hello_comes_back_from_the_lobby(original: Original, somebody: Somebody) -> None:
    hello = f"Hello {uuid.uuid4()}"
    call = original.method("ChatService", "Chat")(metadata=somebody.metadata, timeout=20)
    await call.write(original.message("ChatMessage", text=hello))
    texts = []
    async for message in call:
        texts.append(message.text)
        if message.text == hello:
            break
    await call.done_writing()
    assert hello in texts


async def test_a_file_written_in_chunks_is_stored(original: Original, somebody: Somebody) -> None:
    chunks = [b"a" * 70_000, b"b" * 1_000, b"c"]

    async def written() -> AsyncIterator[Any]:
        for data in chunks:
            yield original.message("FileChunk", data=data)

    result = await original.method("ChatService", "UploadFiles")(written(), metadata=somebody.metadata, timeout=20)
    assert result.size == 71_001
    stored = somebody.chat.DownloadFile(DownloadFileRequest(id=result.id), metadata=somebody.metadata, timeout=20)
    content = b"".join([piece.data async for piece in stored])
    assert hashlib.sha256(content).digest() == hashlib.sha256(b"".join(chunks)).digest()
