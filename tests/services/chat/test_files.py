"""A file is stored whole or not at all, and read from any offset."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from uuid import uuid4

import pytest

from services.chat.files import CHUNK_BYTES, Files, Piece, StoredFile
from services.common.errors import DataLoss, DomainError, InvalidArgument, OutOfRange, ResourceExhausted
from services.common.postgres import Database

DATA = bytes(range(256)) * 5000  # 1.28 MB: two whole chunks and a rest


async def pieces(data: bytes = DATA, *, size: int = 300_000, last: Piece | None = None) -> AsyncIterator[Piece]:
    """The data in pieces, and then what is said of the whole."""
    for start in range(0, len(data), size):
        yield Piece(data[start : start + size])
    if last is not None:
        yield last


async def read(files: Files, file: StoredFile, offset: int = 0) -> bytes:
    """All from the offset on."""
    return b"".join([data async for data in files.read(file, offset)])


async def rows(database: Database) -> int:
    """How many rows of files and chunks there are."""
    async with database.connection() as connection:
        count: int = await connection.fetchval(
            "SELECT (SELECT count(*) FROM files) + (SELECT count(*) FROM file_chunks)"
        )
        return count


async def test_a_file_is_read_as_it_was_stored(database: Database) -> None:
    files = Files(database)
    digest = hashlib.sha256(DATA).hexdigest()
    said = Piece(b"", name="a.bin", content_type="x/y", sha256=digest.upper(), size=len(DATA))
    stored = await files.store("owner", pieces(last=said))
    assert (stored.name, stored.content_type, stored.size) == ("a.bin", "x/y", len(DATA))
    assert (stored.sha256, stored.owner_id) == (digest, "owner")
    assert await files.find(stored.id) == stored
    assert await read(files, stored) == DATA


@pytest.mark.parametrize("offset", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, len(DATA) - 1, len(DATA)])
async def test_a_file_is_read_from_any_offset(database: Database, offset: int) -> None:
    files = Files(database)
    stored = await files.store("owner", pieces())
    assert await read(files, stored, offset) == DATA[offset:]


async def test_small_pieces_are_stored_as_large_chunks(database: Database) -> None:
    files = Files(database)
    data = DATA[: CHUNK_BYTES + 10]
    stored = await files.store("owner", pieces(data, size=1000))
    assert await rows(database) == 3
    assert await read(files, stored) == data


async def test_an_empty_file_is_a_file(database: Database) -> None:
    files = Files(database)
    stored = await files.store("owner", pieces(b""))
    assert (stored.size, stored.sha256) == (0, hashlib.sha256(b"").hexdigest())
    assert await read(files, stored) == b""


WRONG: Iterable[tuple[Piece, type[DomainError], str]] = [
    (Piece(b"", sha256="0" * 64), InvalidArgument, "CHECKSUM_MISMATCH"),
    (Piece(b"", size=len(DATA) + 1), InvalidArgument, "SIZE_MISMATCH"),
    (Piece(b"", size=len(DATA) - 1), InvalidArgument, "SIZE_MISMATCH"),
    (Piece(b"x" * 1_000_000), OutOfRange, "FILE_TOO_LARGE"),
    (Piece(b"", size=3_000_000), OutOfRange, "FILE_TOO_LARGE"),
]


@pytest.mark.parametrize(("last", "kind", "reason"), WRONG)
async def test_what_is_wrong_stores_nothing(
    database: Database, last: Piece, kind: type[DomainError], reason: str
) -> None:
    with pytest.raises(kind) as caught:
        await Files(database, max_bytes=2_000_000).store("owner", pieces(last=last))
    assert caught.value.reason == reason
    assert await rows(database) == 0


async def test_an_upload_that_breaks_off_stores_nothing(database: Database) -> None:
    async def broken() -> AsyncIterator[Piece]:
        async for piece in pieces():
            yield piece
        raise RuntimeError("the client is gone")

    with pytest.raises(RuntimeError):
        await Files(database).store("owner", broken())
    assert await rows(database) == 0


async def test_a_file_is_not_seen_before_it_is_whole_and_a_cancelled_upload_stores_nothing(
    database: Database,
) -> None:
    sent, never = asyncio.Event(), asyncio.Event()

    async def stuck() -> AsyncIterator[Piece]:
        async for piece in pieces():
            yield piece
        sent.set()
        await never.wait()

    upload = asyncio.create_task(Files(database).store("owner", stuck()))
    await sent.wait()
    assert await rows(database) == 0
    upload.cancel()
    await asyncio.wait([upload])
    assert upload.cancelled()
    assert await rows(database) == 0


async def test_uploads_past_the_bound_are_refused_and_the_bound_is_given_back(database: Database) -> None:
    files = Files(database, uploads=1)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[Piece]:
        begun.set()
        await go_on.wait()
        yield Piece(b"x")

    first = asyncio.create_task(files.store("owner", slow()))
    await begun.wait()
    with pytest.raises(ResourceExhausted, match="TOO_MANY_UPLOADS"):
        await files.store("owner", pieces())
    go_on.set()
    await first
    await files.store("owner", pieces())


async def test_a_chunk_that_is_missing_is_data_loss(database: Database) -> None:
    files = Files(database)
    stored = await files.store("owner", pieces())
    with pytest.raises(DataLoss):
        await read(files, replace(stored, id=uuid4()))
