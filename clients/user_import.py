"""Users from a CSV file, through one connection, with bounded concurrency; a rerun creates nothing twice."""

import asyncio
import csv
import itertools
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import grpc

from clients import failure, users
from clients.channel import UNARY_SECONDS, Gateway
from clients.failure import Failure
from protos.user.v1.user_pb2 import CreateUserRequest

AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Row:
    """One user of the file; `line` counts from 1."""

    line: int
    name: str
    email: str


class Fate(Enum):
    """What became of a row."""

    MADE = "made"
    EXISTING = "existing"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A row's fate; `why` only where it failed."""

    row: Row
    fate: Fate
    why: str = ""


def read(path: Path) -> list[Row]:
    """The file's rows. Raises Failure if it is no CSV with the columns name and email."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # -sig: spreadsheets write a byte order mark
            return list(_rows(csv.DictReader(file, strict=True), path))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Failure(f"{path}: {error}") from None


def _rows(reader: "csv.DictReader[str]", path: Path) -> Iterator[Row]:
    columns = reader.fieldnames or []
    missing = [column for column in ("name", "email") if column not in columns]
    if missing:
        raise Failure(f"{path}:1: no column {' and '.join(missing)}; the first line must name them: name,email")
    for record in reader:
        yield Row(reader.line_num, (record["name"] or "").strip(), (record["email"] or "").strip())


async def imported(gateway: Gateway, rows: Iterable[Row], at_once: int = AT_ONCE) -> AsyncIterator[Outcome]:
    """One outcome per row, as they come. At most `at_once` rows are on their way."""
    waiting = iter(rows)
    open_calls: set[asyncio.Task[Outcome]] = set()
    try:
        while True:
            for row in itertools.islice(waiting, at_once - len(open_calls)):
                open_calls.add(asyncio.create_task(_one(gateway, row)))
            if not open_calls:
                return
            done, open_calls = await asyncio.wait(open_calls, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                yield task.result()
    finally:
        for task in open_calls:
            task.cancel()
        await asyncio.gather(*open_calls, return_exceptions=True)


async def _one(gateway: Gateway, row: Row) -> Outcome:
    """Looks before it creates: CreateUser repeats its first answer, so alone it cannot tell made from existing.

    The request_id makes the creation safe where two imports, or the mesh's retries, cross.
    """
    try:
        # Without an address one would ask for anybody.
        if row.email and await users.by_email(gateway, row.email) is not None:
            return Outcome(row, Fate.EXISTING)
        wanted = CreateUserRequest(name=row.name, email=row.email, request_id=users.request_id(row.name, row.email))
        await gateway.users.CreateUser(wanted, metadata=gateway.metadata(), timeout=UNARY_SECONDS)
        return Outcome(row, Fate.MADE)
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.ALREADY_EXISTS:
            return Outcome(row, Fate.EXISTING)
        return Outcome(row, Fate.FAILED, failure.described(error))
