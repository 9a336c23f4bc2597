"""Files through the mesh."""

import asyncio
import hashlib
import os
import uuid
from collections.abc import AsyncIterator

import grpc
import pytest

from protos.chat.v1.chat_pb2 import DownloadFileRequest, UploadFilesRequest
from tests.mesh.conftest import Somebody

CHUNK = 256 * 1024


async def pieces(content: bytes, sha256: str = "", size: int | None = None) -> AsyncIterator[UploadFilesRequest]:
    """An upload of this content."""
    for start in range(0, len(content), CHUNK):
        yield UploadFilesRequest(data=content[start : start + CHUNK])
    yield UploadFilesRequest(name="test.bin", sha256=sha256, size=size)


async def download(who: Somebody, file_id: str, offset: int = 0) -> bytes:
    """A file from an offset on."""
    call = who.chat.DownloadFile(DownloadFileRequest(id=file_id, offset=offset), metadata=who.metadata, timeout=60)
    return b"".join([piece.data async for piece in call])


async def test_the_same_bytes_come_back_and_a_download_resumes(somebody: Somebody) -> None:
    content = os.urandom(3_000_001)
    digest = hashlib.sha256(content).hexdigest()
    upload = somebody.chat.UploadFiles(pieces(content, digest, len(content)), metadata=somebody.metadata, timeout=60)
    stored = await upload
    assert (stored.size, stored.sha256) == (len(content), digest)
    assert await download(somebody, stored.id) == content
    assert await download(somebody, stored.id, 2_500_000) == content[2_500_000:]


@pytest.mark.parametrize("wrong", ["checksum", "size"])
async def test_a_wrong_checksum_or_size_stores_nothing(somebody: Somebody, wrong: str) -> None:
    content = os.urandom(300_000)
    promise = {"checksum": {"sha256": "0" * 64}, "size": {"size": 299_999}}[wrong]
    call = somebody.chat.UploadFiles(pieces(content, **promise), metadata=somebody.metadata, timeout=30)  # type: ignore[arg-type]
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call
    assert failure.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_an_unknown_file_is_not_found(somebody: Somebody) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await download(somebody, str(uuid.uuid4()))
    assert failure.value.code() is grpc.StatusCode.NOT_FOUND


async def test_an_upload_given_up_halfway_disturbs_nobody(somebody: Somebody) -> None:
    async def half() -> AsyncIterator[UploadFilesRequest]:
        yield UploadFilesRequest(data=b"x" * CHUNK)
        await asyncio.Event().wait()

    call = somebody.chat.UploadFiles(half(), metadata=somebody.metadata, timeout=1)
    with pytest.raises(grpc.aio.AioRpcError):
        await call
    stored = await somebody.chat.UploadFiles(pieces(b"whole"), metadata=somebody.metadata, timeout=30)
    assert await download(somebody, stored.id) == b"whole"
