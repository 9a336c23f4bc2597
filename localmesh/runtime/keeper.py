"""One program, kept running: started, asked whether it is well, started again with a rest when it ends."""

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import Enum

from localmesh.errors import MeshError
from localmesh.runtime import backoff, health, probes, process
from localmesh.runtime.health import Health
from localmesh.runtime.podplan import ProcessPlan
from localmesh.runtime.prepare import prepare
from localmesh.runtime.probes import Question

log = logging.getLogger(__name__)


class Phase(Enum):
    """Where a process or a pod is between its start and its end."""

    PENDING = "Pending"
    STARTING = "Starting"  # runs, and was not ready yet
    READY = "Ready"
    NOT_READY = "NotReady"  # runs, and is no longer ready
    BACKOFF = "Backoff"  # has ended, and will be started again
    STOPPING = "Stopping"
    STOPPED = "Stopped"


@dataclass(frozen=True, slots=True)
class ProcessState:
    """One process now. `since` is the Unix time at which the phase began; `reason` says why it is not ready."""

    name: str
    phase: Phase = Phase.PENDING
    since: float = field(default_factory=time.time)
    restarts: int = 0
    pid: int | None = None
    reason: str = ""


class Keeper:
    """Keeps the process of one plan running until `stop`. `on_change` is called after every change of `state`."""

    def __init__(self, plan: ProcessPlan, on_change: Callable[[], None], *, grace: float) -> None:
        self.plan = plan
        self.state = ProcessState(plan.name)
        self._on_change = on_change
        self._grace = grace
        self._process: process.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._condemned = ""
        # Set when its volume was prepared, or could not be for the first time, or will not be.
        self.prepared = asyncio.Event()

    def start(self, after: Iterable[asyncio.Event] = ()) -> None:
        """Begin, when these events have come."""
        self._task = asyncio.create_task(self._keep(tuple(after)), name=f"keep {self.plan.name}")
        self._task.add_done_callback(self._report)

    async def stop(self) -> None:
        """End the process, with its grace, and wait until it is gone."""
        self._set(Phase.STOPPING)
        self.prepared.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._process is not None:
            await self._process.stop(self._grace, self.plan.stop_signal)
        self._set(Phase.STOPPED)

    def send(self, number: signal.Signals) -> bool:
        """Send the process a signal. False if none runs."""
        if self._process is None or self.state.pid is None:
            return False
        self._process.send(number)
        return True

    async def _keep(self, after: tuple[asyncio.Event, ...]) -> None:
        for event in after:
            await event.wait()
        failures = 0
        while True:
            began = time.monotonic()
            reason = await self._run()
            failures = backoff.failures(failures, time.monotonic() - began)
            rest = backoff.rest(failures)
            self._set(Phase.BACKOFF, f"{reason}; starts again after {rest:g} s", restarts=self.state.restarts + 1)
            await asyncio.sleep(rest)

    async def _run(self) -> str:
        """One run of the process, from start to end. Returns why it ended."""
        self._condemned = ""
        self._set(Phase.STARTING)
        try:
            await self._prepare()
            for socket in self.plan.sockets:
                socket.unlink(missing_ok=True)
            self._process = await process.start(self.plan.launch)
        except MeshError as error:
            return str(error)
        self._set(Phase.STARTING, pid=self._process.pid)
        # If asking has a fault of its own, that ends the group and is reported.
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(self._ask())
            code = await self._process.ended()
            asking.cancel()
        if self._condemned:
            return self._condemned
        last = process.tail(self.plan.launch.log).splitlines()[-1:]
        return ": ".join([process.ending(code), *(last if code > 0 else ())])

    async def _prepare(self) -> None:
        try:
            if self.plan.prepare is not None:
                await prepare(self.plan.prepare)
        finally:
            self.prepared.set()

    async def _ask(self) -> None:
        if self.plan.startup is not None:
            await self._until_started(self.plan.startup)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch_readiness(self.plan.readiness))
            if self.plan.liveness is not None:
                group.create_task(self._watch_life(self.plan.liveness))

    async def _until_started(self, question: Question) -> None:
        async for now in _answers(question):
            if health.has_failed(now):
                await self._condemn(f"startup probe failed: {now.reason}")
            if now.well:
                return
            self._set(Phase.STARTING, now.reason)

    async def _watch_readiness(self, question: Question | None) -> None:
        if question is None:
            self._set(Phase.READY)
            return
        was_ready = False
        async for now in _answers(question):
            was_ready = was_ready or now.well
            if now.well:
                self._set(Phase.READY)
            else:
                self._set(Phase.NOT_READY if was_ready else Phase.STARTING, now.reason)

    async def _watch_life(self, question: Question) -> None:
        async for now in _answers(question):
            if health.has_failed(now):
                await self._condemn(f"liveness probe failed: {now.reason}")

    async def _condemn(self, reason: str) -> None:
        self._condemned = reason
        self._set(Phase.NOT_READY, reason)
        if self._process is not None:
            await self._process.stop(self._grace, self.plan.stop_signal)

    def _set(self, phase: Phase, reason: str = "", *, restarts: int | None = None, pid: int | None = None) -> None:
        was = self.state
        runs = phase not in {Phase.BACKOFF, Phase.STOPPED, Phase.PENDING}
        self.state = replace(
            was,
            phase=phase,
            reason=reason,
            since=was.since if phase is was.phase else time.time(),
            restarts=was.restarts if restarts is None else restarts,
            pid=(pid or was.pid) if runs else None,
        )
        if self.state != was:
            self._on_change()

    def _report(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            log.error("the keeper of %s has a fault", self.plan.name, exc_info=error)
            with contextlib.suppress(ProcessLookupError):
                self.send(signal.SIGKILL)
            self._set(Phase.STOPPED, f"a fault of localmesh: {error!r}")


async def _answers(question: Question) -> AsyncIterator[Health]:
    """The health after each answer, for ever."""
    now, began = Health(), time.monotonic()
    while True:
        unwell, listens = None, True
        try:
            await probes.ask(question)
        except probes.Unwell as error:
            unwell, listens = str(error), not isinstance(error, probes.Silent)
        now = health.answered(now, question.probe, unwell, waited=time.monotonic() - began, listens=listens)
        yield now
        await asyncio.sleep(now.interval)
