"""How pods start, as their states are seen one after the other: when each began, when it was first ready."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from localmesh.errors import MeshError
from localmesh.runtime import process
from localmesh.runtime.keeper import Phase
from localmesh.runtime.pod import PodState
from localmesh.runtime.podplan import PodPlan
from localmesh.up.status import Phases

LAST_LINES = 12


@dataclass(slots=True)
class Start:
    """One start of a pod or process, in Unix times; 0: not yet."""

    began: float
    ready: float = 0.0


@dataclass(slots=True)
class Starts:
    """All pods' latest starts; what belongs to the start of the mesh also goes into `phases`."""

    phases: Phases
    of: dict[str, Start] = field(default_factory=dict)
    _processes: dict[tuple[str, str], Start] = field(default_factory=dict)
    _preparing: dict[tuple[str, str], float] = field(default_factory=dict)

    def see(self, states: Iterable[PodState]) -> None:
        """The states now."""
        for state in states:
            self._see_pod(state)
            self._see_processes(state)

    def _see_pod(self, state: PodState) -> None:
        start = self.of.get(state.key)
        if start is None or (start.ready and state.phase in {Phase.PENDING, Phase.STARTING}):
            self.of[state.key] = Start(state.since)
        elif state.ready and not start.ready:
            start.ready = state.since

    def _see_processes(self, state: PodState) -> None:
        for each in state.processes:
            key = (state.key, each.name)
            start = self._processes.setdefault(key, Start(each.since))
            if each.pid is None and each.phase is Phase.STARTING:
                self._preparing.setdefault(key, each.since)
            elif each.pid is not None and (began := self._preparing.pop(key, 0.0)):
                self.phases.add(f"{state.key} {each.name}: spawn", began, time.time())
            if each.phase is Phase.READY and not start.ready:
                start.ready = each.since
                self.phases.add(f"{state.key} {each.name}: ready", start.began, start.ready)


def does_not_start(plan: PodPlan, state: PodState) -> MeshError:
    """What there is to say of a pod that ends again and again: why, and what it said last."""
    worst = max(state.processes, key=lambda one: one.restarts)
    launch = next(one.launch for one in (*plan.apps, plan.envoy) if one and one.name == worst.name)
    said = "\n".join(process.tail(launch.log).splitlines()[-LAST_LINES:])
    reason = worst.reason.partition("\n")[0]
    return MeshError(f"{state.key} does not start: {worst.name}: {reason}", f"see {launch.log}, which ends:\n{said}")
