"""What follows from answers, replayed."""

import pytest

from localmesh.mesh.workloads import Asks, Probe
from localmesh.runtime.health import Health, answered, has_failed

PROBE = Probe(Asks.TCP, period=10.0, failure_threshold=3, success_threshold=1)


def replay(answers: str, probe: Probe = PROBE, *, seconds_each: float = 0.05) -> Health:
    """The health after these answers: `+` good, `-` bad."""
    health = Health()
    for at, answer in enumerate(answers):
        health = answered(health, probe, None if answer == "+" else "ill", waited=at * seconds_each)
    return health


@pytest.mark.parametrize(
    ("answers", "well"),
    [("", False), ("-", False), ("---+", True), ("+--", True), ("+---", False), ("+--+--", True), ("+---+", True)],
)
def test_thresholds_decide(answers: str, well: bool) -> None:
    assert replay(answers).well is well


def test_two_good_answers_may_be_wanted() -> None:
    probe = Probe(Asks.TCP, success_threshold=2)
    assert [replay(answers, probe).well for answers in ("+", "+-+", "++")] == [False, False, True]


def test_a_start_may_take_as_long_as_kubernetes_lets_it_however_often_it_was_asked() -> None:
    assert not has_failed(replay("-" * 100))
    assert not has_failed(replay("-" * 30, seconds_each=1.0))
    assert has_failed(replay("-" * 31, seconds_each=1.0))


def test_one_bad_answer_after_the_start_is_no_failure_but_three_are() -> None:
    assert not has_failed(replay("---+--"))
    assert has_failed(replay("---+---"))


def test_it_is_asked_often_until_it_is_well_and_then_once_a_period() -> None:
    intervals = [replay("-" * count, seconds_each=0.5).interval for count in range(20)]
    assert intervals[0] == 0.05
    assert intervals == sorted(intervals)
    assert intervals[-1] == 0.5
    assert replay("--+").interval == 10.0
    assert replay("--+-").interval == 10.0


def test_how_long_it_did_not_listen_makes_no_question_rarer() -> None:
    health = Health()
    for at in range(100):
        health = answered(health, PROBE, "silent", waited=at * 0.05, listens=False)
        assert health.interval == 0.05
    assert answered(health, PROBE, "ill", waited=5.0).interval == 0.05
    assert answered(health, PROBE, "ill", waited=7.95).interval == pytest.approx(0.3)


def test_what_never_listens_has_failed_in_the_end() -> None:
    assert has_failed(answered(Health(), PROBE, "silent", waited=30.0, listens=False))


def test_the_reason_is_that_of_the_last_bad_answer() -> None:
    assert replay("-").reason == "ill"
    assert replay("-+").reason == ""
