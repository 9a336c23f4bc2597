"""A pod's phase follows from those of its processes."""

import pytest

from localmesh.runtime.keeper import Phase, ProcessState
from localmesh.runtime.pod import phase_of

R, S, B, N = Phase.READY, Phase.STARTING, Phase.BACKOFF, Phase.NOT_READY


@pytest.mark.parametrize(
    ("phases", "phase"),
    [((R, R), R), ((R,), R), ((R, S), S), ((S, B), B), ((R, N), N), ((N, B), B), ((Phase.PENDING, R), Phase.PENDING)],
)
def test_a_pod_is_as_well_as_the_worst_of_its_processes(phases: tuple[Phase, ...], phase: Phase) -> None:
    assert phase_of(tuple(ProcessState(str(at), each) for at, each in enumerate(phases))) is phase


def test_a_draining_pod_is_stopping_until_all_have_stopped() -> None:
    ready, stopped = ProcessState("app", R), ProcessState("envoy", Phase.STOPPED)
    assert phase_of((ready, ready), draining=True) is Phase.STOPPING
    assert phase_of((ready, stopped), draining=True) is Phase.STOPPING
    assert phase_of((stopped, stopped), draining=True) is Phase.STOPPED
