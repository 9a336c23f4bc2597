"""Uploads and downloads as a client sees them."""

import hashlib
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc.aio
import pytest
from google.rpc import error_details_pb2

from protos.chat.v1 import chat_pb2
from services.chat.transfers import Pace
from services.common.settings import DatabaseSettings
from tests.kit import eventually
from tests.services.chat.calls import detail_of, failure, info_of
from tests.services.chat.nats import Nats
from tests.services.chat.replicas import Directory, Person, Replica, replica
from tests.services.postgres import Postgres

MIB = 1 << 20
Request = chat_pb2.UploadFilesRequest


def upload(replica: Replica, person: Person, *requests: chat_pb2.UploadFilesRequest) -> Any:
    """The call UploadFiles with these requests."""
    return replica.stub.UploadFiles(iter(requests), metadata=person.metadata)


async def download(replica: Replica, person: Person, id_: str, offset: int = 0) -> list[Any]:
    """All responses of DownloadFile."""
    request = chat_pb2.DownloadFileRequest(id=id_, offset=offset)
    return [response async for response in replica.stub.DownloadFile(request, metadata=person.metadata)]


@pytest.fixture
def nothing_new(postgres: Postgres, chat_database: DatabaseSettings) -> Any:
    """A count of what is stored in files and chunks."""

    async def count() -> int:
        name = chat_database.url.removeprefix("postgresql://").partition("@")[0]
        connection = await postgres.connect(name, name)
        try:
            return int(
                await connection.fetchval("SELECT (SELECT count(*) FROM files) + (SELECT count(*) FROM file_chunks)")
            )
        finally:
            await connection.close()

    return count


async def test_a_file_goes_up_at_one_replica_and_down_at_the_other(replicas: list[Replica], ada: Person) -> None:
    data = bytes(range(256)) * 6000
    digest = hashlib.sha256(data).hexdigest()
    stored = await upload(
        replicas[0],
        ada,
        Request(data=data[:MIB], name="notes.bin", content_type="application/x-notes"),
        Request(data=data[MIB:], size=len(data)),
        Request(sha256=digest),
    )
    assert (stored.size, stored.sha256) == (len(data), digest)
    responses = await download(replicas[1], ada, stored.id)
    assert b"".join(response.data for response in responses) == data
    assert all(len(response.data) <= MIB for response in responses)
    info = responses[0].info
    assert (info.id, info.name, info.content_type) == (stored.id, "notes.bin", "application/x-notes")
    assert (info.size, info.sha256, info.owner_id) == (len(data), digest, ada.id)
    assert not any(response.HasField("info") for response in responses[1:])
    resumed = await download(replicas[0], ada, stored.id, offset=700_001)
    assert b"".join(response.data for response in resumed) == data[700_001:]


async def test_a_request_with_only_data_is_enough(replicas: list[Replica], ada: Person) -> None:
    stored = await upload(replicas[0], ada, Request(data=b"one"), Request(data=b"two"))
    assert stored.size == 6
    [response] = await download(replicas[0], ada, stored.id)
    assert response.data == b"onetwo"


async def test_an_empty_file_comes_down_as_its_info(replicas: list[Replica], ada: Person) -> None:
    stored = await upload(replicas[0], ada, Request(name="empty"))
    [response] = await download(replicas[0], ada, stored.id)
    assert (response.info.name, response.data) == ("empty", b"")


@pytest.mark.parametrize(
    ("last", "code", "reason"),
    [
        (Request(sha256="0" * 64), grpc.StatusCode.INVALID_ARGUMENT, "CHECKSUM_MISMATCH"),
        (Request(size=1), grpc.StatusCode.INVALID_ARGUMENT, "SIZE_MISMATCH"),
        (Request(size=257 * MIB), grpc.StatusCode.OUT_OF_RANGE, "FILE_TOO_LARGE"),
        (Request(data=b"x" * (MIB + 1)), grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID"),
        (Request(name="a\0b"), grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID"),
    ],
)
async def test_a_wrong_upload_has_its_status_and_stores_nothing(
    replicas: list[Replica], ada: Person, nothing_new: Any, last: Any, code: grpc.StatusCode, reason: str
) -> None:
    before = await nothing_new()
    error = await failure(upload(replicas[0], ada, Request(data=b"data" * 200_000), last))
    assert (error.code(), info_of(error).reason) == (code, reason)
    assert await nothing_new() == before


async def test_an_upload_that_its_client_cancels_stores_nothing_and_ends_its_transaction(
    replicas: list[Replica], ada: Person, nothing_new: Any, postgres: Postgres, chat_database: DatabaseSettings
) -> None:
    before = await nothing_new()
    call = replicas[0].stub.UploadFiles(metadata=ada.metadata)
    for _ in range(4):
        await call.write(Request(data=b"x" * 500_000))

    name = chat_database.url.removeprefix("postgresql://").partition("@")[0]

    async def open_transactions() -> int:
        connection = await postgres.connect("postgres", "postgres")
        try:
            return int(
                await connection.fetchval(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND backend_xid IS NOT NULL", name
                )
            )
        finally:
            await connection.close()

    await eventually(open_transactions, what="the upload has a transaction")
    call.cancel()

    async def ended() -> bool:
        return await open_transactions() == 0

    await eventually(ended, what="the upload's transaction ends")
    assert await nothing_new() == before


async def test_an_upload_that_stops_sending_is_ended(
    sockets: Path, chat_database: DatabaseSettings, nats: Nats, users: Directory, ada: Person, nothing_new: Any
) -> None:
    (folder := sockets / "pace").mkdir()
    before = await nothing_new()
    async with replica(folder, database=chat_database, nats=nats, users=users, pace=Pace(piece=0.2, whole=30)) as one:
        call = one.stub.UploadFiles(metadata=ada.metadata)
        await call.write(Request(data=b"x" * MIB))
        error = await failure(call)
        assert (error.code(), info_of(error).reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "UPLOAD_TOO_SLOW")
        never = await failure(one.stub.UploadFiles(metadata=ada.metadata))
        assert never.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert await nothing_new() == before


async def test_an_unknown_file_and_an_offset_past_the_end(replicas: list[Replica], ada: Person) -> None:
    unknown = str(uuid4())
    error = await failure(download(replicas[0], ada, unknown))
    assert (error.code(), info_of(error).reason) == (grpc.StatusCode.NOT_FOUND, "FILE_NOT_FOUND")
    assert detail_of(error, error_details_pb2.ResourceInfo).resource_name == unknown
    stored = await upload(replicas[0], ada, Request(data=b"12345"))
    assert await download(replicas[0], ada, stored.id, offset=5)
    error = await failure(download(replicas[0], ada, stored.id, offset=6))
    assert (error.code(), info_of(error).reason) == (grpc.StatusCode.OUT_OF_RANGE, "OFFSET_PAST_END")


async def test_a_large_file_needs_little_memory_in_both_directions(replicas: list[Replica], ada: Person) -> None:
    """64 MiB go up and down while this process, server and client in one, holds only pieces of it."""
    piece = Request(data=b"0123456789abcdef" * (MIB // 32))

    async def requests() -> AsyncIterator[chat_pb2.UploadFilesRequest]:
        for _ in range(128):
            yield piece

    tracemalloc.start()
    try:
        stored = await replicas[0].stub.UploadFiles(requests(), metadata=ada.metadata)
        size = 0
        call = replicas[0].stub.DownloadFile(chat_pb2.DownloadFileRequest(id=stored.id), metadata=ada.metadata)
        async for response in call:
            size += len(response.data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert stored.size == size == 64 * MIB
    assert peak < 16 * MIB


async def test_a_download_ends_with_where_to_go_on_when_its_replica_drains(
    sockets: Path, chat_database: DatabaseSettings, nats: Nats, users: Directory, ada: Person, replicas: list[Replica]
) -> None:
    (folder := sockets / "drained").mkdir()
    data = b"0123456789abcdef" * (MIB // 16) * 24
    stored = await upload(
        replicas[0], ada, *(Request(data=data[start : start + MIB]) for start in range(0, len(data), MIB))
    )
    async with replica(folder, database=chat_database, nats=nats, users=users) as one:
        call: Any = one.stub.DownloadFile(chat_pb2.DownloadFileRequest(id=stored.id), metadata=ada.metadata)
        received = (await call.read()).data
        one.drain.begin()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            while (response := await call.read()) is not grpc.aio.EOF:
                received += response.data
        info = info_of(caught.value)
        assert (caught.value.code(), info.reason) == (grpc.StatusCode.UNAVAILABLE, "STREAM_DRAINING")
        assert info.metadata["resume_after"] == str(len(received))
    rest = await download(replicas[0], ada, stored.id, offset=len(received))
    assert received + b"".join(response.data for response in rest) == data
