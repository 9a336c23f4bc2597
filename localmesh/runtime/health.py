"""What follows from the answers to a program's probes. Pure: answers in, health out.

Kubernetes' rules: the startup probe holds the other two back until it has succeeded once; readiness says whether calls
may come; a failed startup or liveness probe ends the program, which is then started again.

One thing is done otherwise: until a program has been ready for the first time it is asked every 50 ms while it does not
listen and at first when it does, then after every further tenth of the time since, and not once per period, because a
period (10 s by default, whole seconds at least) would be most of the start. It may fail for as long as Kubernetes lets
it: failure threshold times period. Initial delays are not waited for.
"""

from dataclasses import dataclass, replace

from localmesh.mesh.workloads import Probe

_FIRST_INTERVAL = 0.05
_SHARE_OF_START = 0.1
_LONGEST_EAGER_INTERVAL = 0.5


@dataclass(frozen=True, slots=True)
class Health:
    """One probe's state. `well` changes only when its threshold of equal answers is reached."""

    well: bool = False
    decided: bool = False  # it has been well, or has failed for good, at least once
    streak: int = 0  # equal answers in a row: up for good ones, down for bad ones
    reason: str = ""  # of the last bad answer
    interval: float = _FIRST_INTERVAL  # seconds until the next question
    silent: float = 0.0  # seconds from the first question to the last time that it did not listen


def answered(health: Health, probe: Probe, unwell: str | None, *, waited: float, listens: bool = True) -> Health:
    """The health after one answer, `unwell` None for a good one, `waited` seconds after the first question.

    `listens`: False if there was nobody to ask, which costs next to nothing.
    """
    good = unwell is None
    streak = max(health.streak, 0) + 1 if good else min(health.streak, 0) - 1
    well, decided = health.well, health.decided
    if good and streak >= probe.success_threshold:
        well, decided = True, True
    elif not good and decided and -streak >= probe.failure_threshold:
        well = False
    elif not good and not decided and waited >= probe.failure_threshold * probe.period:
        well, decided = False, True
    silent = health.silent if listens else waited
    eager = min(max(_FIRST_INTERVAL, (waited - silent) * _SHARE_OF_START), _LONGEST_EAGER_INTERVAL, probe.period)
    return replace(
        health,
        well=well,
        decided=decided,
        streak=streak,
        reason=unwell or "",
        interval=probe.period if decided else eager,
        silent=silent,
    )


def has_failed(health: Health) -> bool:
    """Whether a startup or liveness probe calls for the program's end."""
    return health.decided and not health.well
