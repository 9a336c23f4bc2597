"""Files as rows of bytes, and the only SQL for them.

One upload is one transaction. Whatever ends it early (a wrong checksum, a client that goes away, a replica that is
killed), PostgreSQL forgets all of it; nothing has to be swept, and nothing can be seen before it is whole. The price
is a connection for each running upload, so there is a bound on how many run at once.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from services.common.errors import DataLoss, InvalidArgument, OutOfRange, ResourceExhausted
from services.common.postgres import Database

MAX_BYTES = 256 << 20
CHUNK_BYTES = 512 << 10
UPLOADS = 8


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of an upload; what is said of the whole may come with any piece, and the last word counts."""

    data: bytes
    name: str = ""
    content_type: str = ""
    sha256: str = ""  # hexadecimal
    size: int | None = None  # in bytes


@dataclass(frozen=True, slots=True)
class StoredFile:
    """What is known of a file. `size` is in bytes, `sha256` hexadecimal in lower case."""

    id: UUID
    name: str
    content_type: str
    size: int
    sha256: str
    owner_id: str
    create_time: datetime


class Files:
    """Stores and reads files. Raises Unavailable if PostgreSQL is away."""

    def __init__(self, database: Database, *, max_bytes: int = MAX_BYTES, uploads: int = UPLOADS) -> None:
        """Needs a pool of its own, of more than `uploads` connections."""
        self._database = database
        self._max_bytes = max_bytes
        self._uploads = asyncio.Semaphore(uploads)

    async def store(self, owner_id: str, pieces: AsyncIterator[Piece]) -> StoredFile:
        """Stores a file as its pieces come, and returns when it is committed; whatever it raises, nothing is stored.

        Raises OutOfRange (FILE_TOO_LARGE), InvalidArgument (SIZE_MISMATCH, CHECKSUM_MISMATCH), ResourceExhausted
        (TOO_MANY_UPLOADS), and whatever `pieces` raises.
        """
        if self._uploads.locked():
            raise ResourceExhausted("TOO_MANY_UPLOADS", "too many uploads run at this replica", retry_after_seconds=5.0)
        async with self._uploads, self._database.transaction("INSERT files") as connection:
            # The client's pace is not ours: `pieces` must end what is too slow.
            await connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            return await self._store(connection, owner_id, pieces)

    async def _store(self, connection: Any, owner_id: str, pieces: AsyncIterator[Piece]) -> StoredFile:
        file_id, digest, size, stored = uuid4(), hashlib.sha256(), 0, 0
        name = content_type = sha256 = ""
        declared: int | None = None
        buffer = bytearray()

        async def flush(length: int) -> None:
            nonlocal stored
            await connection.execute(
                "INSERT INTO file_chunks (file_id, start, data) VALUES ($1, $2, $3)", file_id, stored, buffer[:length]
            )
            stored += length
            del buffer[:length]

        async for piece in pieces:
            name = piece.name or name
            content_type = piece.content_type or content_type
            sha256 = piece.sha256.lower() or sha256
            declared = declared if piece.size is None else piece.size
            size += len(piece.data)
            self._check_size(size, declared)
            digest.update(piece.data)
            buffer += piece.data
            while len(buffer) >= CHUNK_BYTES:
                await flush(CHUNK_BYTES)
        if buffer:
            await flush(len(buffer))
        if declared is not None and size != declared:
            raise _wrong_size(size, declared)
        if sha256 not in ("", digest.hexdigest()):
            raise InvalidArgument(
                "CHECKSUM_MISMATCH",
                "the data's SHA-256 is {actual}, not {declared}",
                actual=digest.hexdigest(),
                declared=sha256,
            )
        row = await connection.fetchrow(
            "INSERT INTO files (id, name, content_type, size, sha256, owner_id)"
            " VALUES ($1, $2, $3, $4, $5, $6) RETURNING *",
            *(file_id, name, content_type, size, digest.hexdigest(), owner_id),
        )
        return StoredFile(**row)

    def _check_size(self, size: int, declared: int | None) -> None:
        """As early as it can be known that the file is too large, or larger than was said."""
        if max(size, declared or 0) > self._max_bytes:
            raise OutOfRange("FILE_TOO_LARGE", "a file may have at most {max_bytes} bytes", max_bytes=self._max_bytes)
        if declared is not None and size > declared:
            raise _wrong_size(size, declared)

    async def find(self, file_id: UUID) -> StoredFile | None:
        """What is known of the file; None if there is none."""
        async with self._database.connection("SELECT files") as connection:
            row = await connection.fetchrow("SELECT * FROM files WHERE id = $1", file_id)
        return StoredFile(**row) if row else None

    async def read(self, file: StoredFile, offset: int) -> AsyncIterator[bytes]:
        """The file's bytes from the offset on, at most CHUNK_BYTES at a time; no connection is held in between."""
        while offset < file.size:
            async with self._database.connection("SELECT file_chunks") as connection:
                row = await connection.fetchrow(
                    "SELECT start, data FROM file_chunks WHERE file_id = $1 AND start <= $2"
                    " ORDER BY start DESC LIMIT 1",
                    file.id,
                    offset,
                )
            data = row["data"][offset - row["start"] :] if row else b""
            if not data:
                raise DataLoss(
                    "FILE_INCOMPLETE", "the file {id} cannot be read from {offset} on", id=file.id, offset=offset
                )
            offset += len(data)
            yield data


def _wrong_size(size: int, declared: int) -> InvalidArgument:
    return InvalidArgument(
        "SIZE_MISMATCH", "{actual} bytes came, {declared} were declared", actual=size, declared=declared
    )
