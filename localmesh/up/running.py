"""A running mesh: what a person can ask of it, and what it does by itself when a file is saved or a pod ends.

Everything that can be wrong is found before anything is touched; how a change comes into force is `in_force`'s.
"""

import asyncio
import gc
import json
import logging
import os
import signal
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from localmesh.errors import MeshError, Problem
from localmesh.memo import Memo
from localmesh.observe.policies import History, Policy, policies
from localmesh.observe.store import TraceStore
from localmesh.runtime.pod import PodState
from localmesh.runtime.podplan import PodPlan
from localmesh.runtime.trimming import trimming
from localmesh.up import collectors, stages
from localmesh.up.in_force import Applied, InForce
from localmesh.up.known import known
from localmesh.up.refusal import texts, told
from localmesh.up.stages import Written
from localmesh.up.starts import Starts, does_not_start
from localmesh.up.status import Edits, MeshStatus, Phases, PodStatus
from localmesh.up.watch import Watch

log = logging.getLogger(__name__)
T = TypeVar("T")

READY_SECONDS = 120.0
# A program that ends so often before it was ever ready will not get well by itself.
FUTILE_RESTARTS = 5


class RunningMesh:
    """What a person can ask of a mesh that runs. Used on one event loop."""

    def __init__(
        self,
        *,
        paths: tuple[Path, ...],
        watch: Watch,
        in_force: InForce,
        memo: Memo,
        ending: asyncio.Event,
        phases: Phases,
        traces: TraceStore,
    ) -> None:
        self.ending = ending
        self._paths, self._watch, self._in_force, self._memo = paths, watch, in_force, memo
        self._supervisor = in_force.supervisor
        self._phases, self._starts = phases, Starts(phases)
        self._traces = traces
        self._started = False
        self._problems: tuple[Problem, ...] = ()
        self._history = History().in_force(in_force.design.written.documents, time.time())
        self._edits = Edits()
        self._changing = asyncio.Lock()  # what shall run
        self._stirred = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    # --- the start and the end ---------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start all pods and tell their proxies; returns before they are ready."""
        await self._supervisor.reconcile(self._in_force.design.plans)
        with self._phases.phase("compile"):
            self._in_force.begin()
        logs = self._in_force.host.dirs.logs
        self._spawn(self._observe(), self._in_force.renew(), self._watch_files(), trimming(logs))

    async def started(self) -> None:
        """Return when every pod is ready and every proxy has acknowledged, or the end is asked for.

        Raises MeshError if a pod does not become ready: what it said last, and where its log is.
        """
        ready = asyncio.create_task(self._supervisor.ready(within=READY_SECONDS))
        futile, ended = asyncio.create_task(self._futile()), asyncio.create_task(self.ending.wait())
        waits: set[asyncio.Task[None] | asyncio.Task[bool]] = {ready, futile, ended}
        done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for task in waits - done:
            task.cancel()
        for task in done:
            task.result()
        if not self.ending.is_set():
            with self._phases.phase("last acknowledgement"):
                await self._in_force.tell()
            self._started = True
            # What is there now stays for good: a collection need not look at it, which would take as long as an edit.
            gc.freeze()
            self._stir()

    async def stop(self) -> None:
        """End everything."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._supervisor.stop()

    async def _futile(self) -> None:
        """Raise MeshError once a program ends again and again before it was ever ready."""
        async for _ in self.statuses():
            for state in self._supervisor.states():
                if state.restarts >= FUTILE_RESTARTS and not self._starts.of[state.key].ready:
                    plan = next(plan for plan in self._supervisor.plans() if plan.key == state.key)
                    raise does_not_start(plan, state)

    # --- what a person asks ------------------------------------------------------------------------------------------

    def status(self) -> MeshStatus:
        """The state now."""
        return MeshStatus(
            process=os.getpid(),
            started_at=self._phases.zero,
            started=self._started,
            paths=tuple(str(path.absolute()) for path in self._paths),
            pods=tuple(map(self._pod_status, self._supervisor.states(), self._supervisor.plans())),
            problems=self._problems,
            warnings=self._in_force.design.warnings,
            phases=tuple(self._phases.ended),
            edits=self._edits,
            traces=self._traces.held,
            gateways=tuple(expose.address for expose in self._in_force.design.written.local.expose),
            next=self._in_force.design.written.local.next,
        )

    async def statuses(self) -> AsyncIterator[MeshStatus]:
        """The state now, and again whenever it changes."""
        while True:
            stirred = self._stirred
            yield self.status()
            await stirred.wait()

    def policies(self) -> tuple[Policy, ...]:
        """The policy documents in force."""
        design = self._in_force.design
        return policies(design.written.documents, design.mesh, self._history)

    def traces(self) -> TraceStore:
        """The traces that are kept. Raises MeshError where spans go somewhere else."""
        collector = self._in_force.host.collector
        if not collector.startswith(collectors.UNIX):
            raise MeshError(f"spans go to {collector} ({collectors.ENDPOINT})", "look for them there")
        return self._traces

    async def apply(self) -> Applied:
        """Read the files again. Returns when every proxy obeys them and the pods are as they say.

        All or nothing: Problems, also of what a proxy refuses, leave everything as it was, and so does the MeshError
        for a pod that the files change and that does not become ready: soon, where they were saved again meanwhile.
        """
        return await _undisturbed(self._apply())

    async def _apply(self) -> Applied:
        async with self._changing:
            try:
                self._memo.next_round()
                written = await self._watch.whole(self._read)
                async with self._superseded() as superseded:
                    applied = await self._in_force.change(written, superseded)
            except Exception as error:
                self._problems = told(error)
                self._history = self._history.refused(self._problems, time.time(), texts(self._problems))
                self._edits = replace(self._edits, refused=self._edits.refused + 1)
                self._stir()
                raise
            self._problems = ()
            self._history = self._history.in_force(self._in_force.design.written.documents, time.time())
            self._edits = replace(self._edits, applied=self._edits.applied + 1, last_seconds=applied.seconds)
            self._stir()
            return applied

    def _read(self) -> Written:
        return stages.read(
            self._paths, self._in_force.design.written.replicas, self._memo, self._in_force.host.collector
        )

    async def scale(self, workload: str, replicas: int) -> None:
        """Set the number of pods of a workload; returns when they are ready, or gone. Raises MeshError."""
        await _undisturbed(self._scale(self._workload(workload), replicas))

    async def _scale(self, key: str, replicas: int) -> None:
        async with self._changing, self._superseded() as superseded:
            written = self._in_force.design.written
            await self._in_force.change(replace(written, replicas={**written.replicas, key: replicas}), superseded)
            pods = [plan.key for plan in self._in_force.design.plans if plan.workload == key]
            await self._supervisor.ready(within=READY_SECONDS, pods=pods, hurry=superseded)

    async def restart(self, workload: str) -> None:
        """Replace a workload's pods one by one. Raises MeshError."""
        key = self._workload(workload)
        async with self._changing, self._superseded() as superseded:
            await self._supervisor.restart(key, hurry=superseded)

    def kill(self, pod: str, number: int, container: str) -> None:
        """Send a signal to a pod's process, as a fault would. Raises MeshError."""
        self._supervisor.kill(self._pod(pod), signal.Signals(number or signal.SIGKILL), container)

    def config(self, pod: str) -> str:
        """What a pod's proxy was last told, as JSON without secrets. Raises MeshError."""
        return json.dumps(self._in_force.proxies.readable(self._pod(pod)), indent=2)

    # --- beside ------------------------------------------------------------------------------------------------------

    async def _observe(self) -> None:
        states: tuple[PodState, ...] = ()
        while True:
            states = await self._supervisor.changes(states)
            self._starts.see(states)
            self._stir()

    async def _watch_files(self) -> None:
        async for files in self._watch.saves():
            names = ", ".join(sorted(file.name for file in files))
            try:
                applied = await self.apply()
            except MeshError as error:
                log.error("%s: not in force:\n%s", names, error)
            except Exception:  # a fault of ours: the next save may be well again
                log.exception("%s: not in force", names)
            else:
                log.info("%s: in force at %d proxies after %.3f s", names, len(applied.changed), applied.seconds)

    @asynccontextmanager
    async def _superseded(self) -> AsyncIterator[asyncio.Event]:
        """Set once a file is saved inside the block: a change that is made there is not what the files say any more."""
        superseded = asyncio.Event()

        async def supersede(steps: int) -> None:
            await self._watch.step_after(steps)
            superseded.set()

        waiting = asyncio.create_task(supersede(self._watch.steps))
        try:
            yield superseded
        finally:
            waiting.cancel()

    def _stir(self) -> None:
        self._stirred.set()
        self._stirred = asyncio.Event()

    def _spawn(self, *work: Coroutine[None, None, None]) -> None:
        self._tasks += [asyncio.create_task(each) for each in work]

    def _pod_status(self, state: PodState, plan: PodPlan) -> PodStatus:
        namespace, _, name = state.key.partition("/")
        start = self._starts.of.get(state.key)
        return PodStatus(
            namespace=namespace,
            name=name,
            workload=state.workload,
            address=state.address,
            state=state.phase.value,
            reason=state.reason,
            ready=state.ready,
            restarts=state.restarts,
            started_at=start.began if start else 0.0,
            start_seconds=start.ready - start.began if start and start.ready else 0.0,
            acked=state.key in self._in_force.proxies.settled,
            sockets=str(plan.dirs.sockets),
            proxy=plan.proxy.value,
            metrics=str(plan.metrics or ""),
        )

    def _pod(self, name: str) -> str:
        return known(name, [plan.key for plan in self._in_force.design.plans], "pod")

    def _workload(self, name: str) -> str:
        return known(name, [workload.key for workload in self._in_force.design.mesh.workloads], "workload")


async def _undisturbed(work: Coroutine[None, None, T]) -> T:
    """Do a change to its end, even if who asked for it has gone away: half a change is in force nowhere."""
    return await asyncio.shield(asyncio.create_task(work))
