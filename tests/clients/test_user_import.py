"""Users from a CSV file: each row once, however often it is run."""

import asyncio
from collections import Counter
from pathlib import Path

import grpc
import pytest

from clients.channel import Gateway
from clients.failure import Failure
from clients.user_import import Fate, Outcome, Row, imported, read
from tests.clients.peers import Error, MemoryUsers, serving


def rows(count: int) -> list[Row]:
    return [Row(number + 2, f"User {number}", f"user{number}@example.com") for number in range(count)]


async def outcomes(gateway: Gateway, wanted: list[Row], at_once: int = 8) -> list[Outcome]:
    return [outcome async for outcome in imported(gateway, wanted, at_once)]


async def test_a_rerun_makes_nothing_twice() -> None:
    service = MemoryUsers()
    async with serving(users=service) as gateway:
        first = await outcomes(gateway, rows(50))
        second = await outcomes(gateway, rows(60))
    assert Counter(outcome.fate for outcome in first) == {Fate.MADE: 50}
    assert Counter(outcome.fate for outcome in second) == {Fate.EXISTING: 50, Fate.MADE: 10}
    assert len(service.users) == 60


async def test_two_imports_of_one_file_at_once_make_each_user_once() -> None:
    service = MemoryUsers()
    async with serving(users=service) as gateway:
        both = await asyncio.gather(outcomes(gateway, rows(50)), outcomes(gateway, rows(50)))
    assert len(service.users) == 50
    assert all(outcome.fate is not Fate.FAILED for outcomes in both for outcome in outcomes)


async def test_no_more_rows_are_on_their_way_than_allowed() -> None:
    service = MemoryUsers()
    async with serving(users=service) as gateway:
        await outcomes(gateway, rows(100), at_once=5)
    assert 1 <= service.most_open_calls <= 5


async def test_a_bad_row_fails_alone_and_says_why() -> None:
    service = MemoryUsers()
    wanted = [*rows(3), Row(5, "Bad", "no address"), Row(6, "None", "")]
    async with serving(users=service) as gateway:
        found = {outcome.row.line: outcome for outcome in await outcomes(gateway, wanted)}
    assert [found[line].fate for line in range(2, 7)] == [Fate.MADE] * 3 + [Fate.FAILED] * 2
    assert "INVALID_REQUEST" in found[5].why
    assert "email: must be a valid email address" in found[5].why


async def test_a_service_that_is_away_fails_rows_and_a_rerun_mends_them() -> None:
    service = MemoryUsers()
    service.refuse = Error(grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
    async with serving(users=service) as gateway:
        assert {outcome.fate for outcome in await outcomes(gateway, rows(5))} == {Fate.FAILED}
        service.refuse = None
        assert {outcome.fate for outcome in await outcomes(gateway, rows(5))} == {Fate.MADE}


def test_rows_are_read_whatever_the_order_of_columns_and_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    file.write_text('\ufeffemail,team,name\nada@example.com,x,"Lovelace, Ada"\n\nbob@example.com,y, Bob \n', "utf-8")
    assert read(file) == [Row(2, "Lovelace, Ada", "ada@example.com"), Row(4, "Bob", "bob@example.com")]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(b"name,mail\nA,a@b.c\n", "no column email"), (b"", "no column name and email"), (b"\xff\xfe\x00", "decode")],
)
def test_a_file_that_is_no_such_csv_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    file = tmp_path / "users.csv"
    file.write_bytes(content)
    with pytest.raises(Failure, match=complaint):
        read(file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="No such file"):
        read(tmp_path / "none.csv")
