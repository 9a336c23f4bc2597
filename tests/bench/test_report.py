"""bench.report: verdicts, and the way through JSON."""

from dataclasses import replace

from bench.figures import Quartiles, number, quartiles
from bench.page import written
from bench.report import Aim, Report, Row, Table, from_json, to_json

ROW = Row(
    what="CPU of a call",
    unit="µs",
    ours=400.0,
    ours_is="our service",
    other=320.0,
    other_is="bare echo",
    ratio=Quartiles(1.2, 1.25, 1.3),
    aim=Aim(1.35),
    otherwise="because of this; the next step is that",
)


def test_an_aim_at_most_is_met_up_to_its_limit() -> None:
    assert ROW.met
    assert replace(ROW, aim=Aim(1.25)).met
    assert replace(ROW, aim=Aim(1.24)).met is False


def test_an_aim_at_least_is_met_from_its_limit_on() -> None:
    assert replace(ROW, aim=Aim(1.25, least=True)).met
    assert replace(ROW, aim=Aim(1.26, least=True)).met is False


def test_an_aim_may_be_of_the_first_figure() -> None:
    assert replace(ROW, aim=Aim(400, of_ratio=False)).met
    assert replace(ROW, aim=Aim(399, of_ratio=False)).met is False


def test_a_row_without_an_aim_has_no_verdict() -> None:
    assert replace(ROW, aim=None).met is None


def test_a_report_comes_back_from_json_as_it_was() -> None:
    report = Report("x", "What.", (ROW, replace(ROW, aim=None)), (Table(("a", "b"), (("1", "2"),)),), ("this",))
    assert from_json(to_json(report)) == report


def test_the_page_says_why_an_aim_is_not_met_and_only_then() -> None:
    assert "the next step is that" in written([Report("x", "What.", (replace(ROW, aim=Aim(1.0)),))])
    assert "the next step is that" not in written([Report("x", "What.", (ROW,))])


def test_numbers_have_three_digits_that_count() -> None:
    assert [number(value) for value in (0, 0.012345, 4.5, 117.6, 999.7, 33_849.0)] == [
        *("0", "0.0123", "4.5", "118", "1000", "33,800")
    ]


def test_quartiles_are_those_of_the_values() -> None:
    assert quartiles([5, 1, 2, 4, 3]) == Quartiles(2, 3, 4)
    assert quartiles([7]) == Quartiles(7, 7, 7)
