"""The certificates in use."""

import asyncio
from datetime import UTC, datetime, timedelta

from localmesh.mesh.identity import Identity
from localmesh.runtime import certs
from localmesh.runtime.wallet import Wallet

START = datetime(2026, 11, 22, tzinfo=UTC)
CHAT, USER = (Identity("cluster.local", "mesh", name) for name in ("chat", "user"))


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


def wallet(clock: Clock) -> Wallet:
    return Wallet(certs.new_authority("cluster.local", now=START), lifetime=timedelta(hours=24), now=clock)


def test_an_identity_keeps_its_certificate_for_half_of_its_life() -> None:
    clock = Clock()
    mine = wallet(clock)
    first = mine.leaves([CHAT, USER, CHAT])
    assert set(first) == {CHAT, USER}
    clock.now = START + timedelta(hours=11, minutes=59)
    assert mine.leaves([CHAT, USER]) == first
    clock.now = START + timedelta(hours=12)
    second = mine.leaves([CHAT, USER])
    assert not set(second.values()) & set(first.values())


def test_the_next_renewal_is_that_of_the_oldest() -> None:
    clock = Clock()
    mine = wallet(clock)
    assert mine.next_renewal() is None
    mine.leaves([CHAT])
    clock.now += timedelta(hours=6)
    mine.leaves([CHAT, USER])
    assert mine.next_renewal() == START + timedelta(hours=12)
    mine.leaves([USER])
    assert mine.next_renewal() == START + timedelta(hours=18)


async def test_renewals_come_when_they_are_due() -> None:
    mine = Wallet(certs.new_authority("cluster.local", now=datetime.now(UTC)), lifetime=timedelta(seconds=0.2))
    first = mine.leaves([CHAT])
    async with asyncio.timeout(30):
        second = await anext(mine.renewals())
    assert second[CHAT] != first[CHAT]
