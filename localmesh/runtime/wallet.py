"""The certificates that are in use: one for each identity, renewed at half of its life."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta

from localmesh.mesh.identity import Identity
from localmesh.runtime.certs import Authority, Leaf

DEFAULT_LIFETIME = timedelta(hours=24)


class Wallet:
    """Holds a valid certificate for every identity that was asked for."""

    def __init__(
        self,
        authority: Authority,
        *,
        lifetime: timedelta = DEFAULT_LIFETIME,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.authority = authority
        self._lifetime, self._now = lifetime, now
        self._leaves: dict[Identity, Leaf] = {}

    def leaves(self, identities: Iterable[Identity]) -> Mapping[Identity, Leaf]:
        """A certificate for each identity: the one that it has, or the next if that is due. Others are forgotten."""
        now = self._now()
        self._leaves = {
            identity: leaf
            if (leaf := self._leaves.get(identity)) and now < leaf.renew_at
            else self.authority.issue(identity, lifetime=self._lifetime, now=now)
            for identity in dict.fromkeys(identities)
        }
        return dict(self._leaves)

    def next_renewal(self) -> datetime | None:
        """When the next certificate is due; None if there are none."""
        return min((leaf.renew_at for leaf in self._leaves.values()), default=None)

    async def renewals(self) -> AsyncIterator[Mapping[Identity, Leaf]]:
        """All certificates, each time that some were due and are new."""
        while True:
            due = self.next_renewal()
            left = (due - self._now()).total_seconds() if due else 60.0
            # Once a minute at least: a laptop may have slept, and new identities may have come.
            await asyncio.sleep(min(max(left, 0.01), 60.0))
            if (due := self.next_renewal()) and due <= self._now():
                yield self.leaves(tuple(self._leaves))
