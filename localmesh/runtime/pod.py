"""A pod: its apps and its Envoy, started together and stopped in order. Its state follows from theirs."""

import asyncio
import shutil
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from localmesh.errors import MeshError
from localmesh.mesh import Placement
from localmesh.runtime import volumes
from localmesh.runtime.keeper import Keeper, Phase, ProcessState
from localmesh.runtime.podplan import PodPlan

# An Envoy has nothing to finish once its app has ended.
_ENVOY_GRACE = 2.0
# What a pod is if any of its processes is this; the first that fits.
_WORST_FIRST = (
    Phase.STOPPING,
    Phase.BACKOFF,
    Phase.NOT_READY,
    Phase.STARTING,
    Phase.PENDING,
    Phase.STOPPED,
    Phase.READY,
)


@dataclass(frozen=True, slots=True)
class PodState:
    """One pod now. `since`: the Unix time at which its phase began. `ready`: calls may be sent to it."""

    key: str
    workload: str
    address: str
    phase: Phase
    since: float
    reason: str
    restarts: int
    processes: tuple[ProcessState, ...]

    @property
    def ready(self) -> bool:
        """All of it is ready, and it is not about to end."""
        return self.phase is Phase.READY


def phase_of(processes: tuple[ProcessState, ...], *, draining: bool = False) -> Phase:
    """A pod's phase: ready if all its processes are, else that of the worst of them."""
    if draining:
        return Phase.STOPPED if all(each.phase is Phase.STOPPED for each in processes) else Phase.STOPPING
    return next(phase for phase in _WORST_FIRST if any(each.phase is phase for each in processes))


class Pod:
    """One running pod. `on_change` is called after every change of `state`."""

    def __init__(self, plan: PodPlan, on_change: Callable[[], None]) -> None:
        self.plan = plan
        self._draining = False
        self._on_change = on_change
        self._apps = [Keeper(app, self._changed, grace=plan.grace) for app in plan.apps]
        self._envoy = [Keeper(plan.envoy, self._changed, grace=_ENVOY_GRACE)] if plan.envoy else []
        self.state = PodState(
            plan.key, plan.workload, plan.placement.address, Phase.PENDING, time.time(), "", 0, self._processes()
        )

    @property
    def placement(self) -> Placement:
        """Where it stands, and whether it is ready now."""
        return replace(self.plan.placement, ready=self.state.ready)

    @property
    def prepared(self) -> tuple[asyncio.Event, ...]:
        """Come when its data volumes are prepared, or could not be for the first time."""
        return tuple(keeper.prepared for keeper in self._apps if keeper.plan.prepare is not None)

    def start(self, bootstrap: str, after: Iterable[asyncio.Event] = ()) -> None:
        """Make its folders and start its Envoy at once, and its apps when these events have come.

        MeshError if a folder cannot be made: then nothing is started.
        """
        try:
            self._make_folders(bootstrap)
        except OSError as error:
            raise MeshError(f"{self.plan.key} cannot be started: {error}", "see whether the disk is full") from error
        for keeper in self._envoy:
            keeper.start()
        for keeper in self._apps:
            keeper.start(after)

    def _make_folders(self, bootstrap: str) -> None:
        self.plan.dirs.run.mkdir(mode=0o700, exist_ok=True)
        for folder in self.plan.folders:
            volumes.make(folder)
        if self.plan.envoy:
            self.plan.bootstrap.touch(mode=0o600)
            self.plan.bootstrap.write_text(bootstrap)

    def drain(self) -> None:
        """From now on it is not ready, whatever its probes say."""
        self._draining = True
        self._changed()

    async def stop(self) -> None:
        """End the apps, each with the pod's grace, then the Envoy through which they spoke, and what was theirs."""
        self.drain()
        await asyncio.gather(*(keeper.stop() for keeper in self._apps))
        await asyncio.gather(*(keeper.stop() for keeper in self._envoy))
        shutil.rmtree(self.plan.dirs.run, ignore_errors=True)

    def send(self, number: signal.Signals, process: str = "") -> tuple[str, ...]:
        """Send a signal to the process of that name; "": to all its apps, or to the Envoy of a pod without apps.

        Returns the names of those that got it.
        """
        chosen = [each for each in (*self._apps, *self._envoy) if each.plan.name == process]
        chosen = chosen if process else self._apps or self._envoy
        return tuple(keeper.plan.name for keeper in chosen if keeper.send(number))

    def _processes(self) -> tuple[ProcessState, ...]:
        return tuple(keeper.state for keeper in (*self._apps, *self._envoy))

    def _changed(self) -> None:
        was, processes = self.state, self._processes()
        phase = phase_of(processes, draining=self._draining)
        self.state = replace(
            was,
            phase=phase,
            since=was.since if phase is was.phase else time.time(),
            reason="; ".join(f"{each.name}: {each.reason}" for each in processes if each.reason),
            restarts=sum(each.restarts for each in processes),
            processes=processes,
        )
        if self.state != was:
            self._on_change()
