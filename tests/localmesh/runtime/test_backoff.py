"""How long a program rests."""

from localmesh.runtime.backoff import failures, rest


def test_rests_double_up_to_ten_seconds() -> None:
    assert [rest(count) for count in range(9)] == [0.0, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]
    assert rest(10_000) == 10.0


def test_a_minute_well_forgives_what_was_before() -> None:
    assert failures(5, ran=59.9) == 6
    assert failures(5, ran=60.0) == 1
