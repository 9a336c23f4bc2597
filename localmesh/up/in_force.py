"""What is in force: one design, which the proxies have been told and whose pods run.

A change puts another design in its place, tells the proxies, and puts the old one back if one of them refuses.
"""

import asyncio
import logging
import time
from dataclasses import dataclass

from localmesh.ads import Refused
from localmesh.errors import MeshError, Problem
from localmesh.memo import Memo
from localmesh.runtime.supervisor import Supervisor
from localmesh.up import stages
from localmesh.up.host import Host
from localmesh.up.proxies import Proxies
from localmesh.up.refusal import explained
from localmesh.up.stages import Design, Written

log = logging.getLogger(__name__)

ACK_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Applied:
    """What a change came to: the pods (`namespace/name`) whose proxies were told something new."""

    changed: tuple[str, ...]
    seconds: float
    warnings: tuple[Problem, ...]


class InForce:
    """The design in force, its pods (`supervisor`) and their proxies. One change at a time is its caller's business."""

    def __init__(self, *, host: Host, proxies: Proxies, design: Design, memo: Memo) -> None:
        self.host, self.proxies, self.design = host, proxies, design
        self._memo = memo
        self.supervisor = Supervisor(bootstrap=proxies.bootstrap, on_change=self.tell)
        self._telling = asyncio.Lock()  # what the proxies are told

    def begin(self) -> None:
        """Tell the proxies for the first time; nobody is waited for."""
        self.proxies.publish(self.design, self.supervisor.placements)

    async def tell(self) -> None:
        """Pods have come, gone, or changed their readiness: tell the proxies, and wait for them."""
        async with self._telling:
            await self.proxies.refresh(self.design, self.supervisor.placements, within=ACK_SECONDS)

    async def renew(self) -> None:
        """Tell the proxies their certificates whenever these were renewed, for ever."""
        async for _ in self.proxies.wallet.renewals():
            async with self._telling:
                self.proxies.publish(self.design, self.supervisor.placements)

    async def change(self, written: Written, superseded: asyncio.Event) -> Applied:
        """Put another design in force, or raise Problems or MeshError and leave everything as it was.

        Pods that do not become ready are not waited for much longer once it is `superseded`: something else is wanted.
        """
        began, before = time.monotonic(), self.design
        design = stages.designed(written, self.host.machine, self.supervisor.placements(), self._memo)
        self.host.require_free(written.local)
        changed = await self._obeyed(design)
        seconds = time.monotonic() - began
        try:
            await self.supervisor.reconcile(design.plans, hurry=superseded)
        except MeshError as error:
            raise await self._back_to(before, error) from error
        return Applied(changed, seconds, design.warnings)

    async def _obeyed(self, design: Design) -> tuple[str, ...]:
        """Tell the proxies a design; if one refuses or is silent, the one before again, and raise.

        Returns the pods whose proxies were told something new.
        """
        # Nothing else is told meanwhile: it would take the place of what is waited for here, and get its refusal.
        async with self._telling:
            before, self.design = self.design, design
            try:
                changed = await self.proxies.change(design, self.supervisor.placements, within=ACK_SECONDS)
            except Exception as error:  # a fault of ours too
                self.design, refused = before, self.proxies.snapshots
                await self._roll_back()
                raise (explained(error.nacks, refused) if isinstance(error, Refused) else error) from error
            self.host.opened(design.written.local)
            return changed

    async def _roll_back(self) -> None:
        try:
            await self.proxies.change(self.design, self.supervisor.placements, within=ACK_SECONDS, answering=True)
        except MeshError:
            log.exception("not every proxy took the previous configuration back")

    async def _back_to(self, before: Design, failed: MeshError) -> MeshError:
        """Run the pods of the design before again. Returns what there is to say of the change that failed."""
        try:
            await self._obeyed(before)
            await self.supervisor.reconcile(before.plans)
        except MeshError as error:
            return MeshError(f"{failed.what}\nNot all could be put back as it was: {error.what}", "localmesh status")
        return MeshError(f"{failed.what}\nEverything was put back as it was", failed.hint)
