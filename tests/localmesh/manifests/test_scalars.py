"""Plain scalars are what go-yaml makes of them, and durations are what Go makes of them."""

import pytest
import yaml

from localmesh.manifests.scalars import is_null, kind_of, to_float, to_int, to_seconds


def node(text: str) -> yaml.ScalarNode:
    composed = yaml.compose(text, yaml.CSafeLoader)
    assert isinstance(composed, yaml.ScalarNode)
    return composed


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("y", "bool"),
        ("Off", "bool"),
        ("true", "bool"),
        ("nay", "str"),
        ("'y'", "str"),
        ("5", "int"),
        ("0x1F", "int"),
        ("-0", "int"),
        ("1_000", "int"),
        ("08", "float"),
        ("1e3", "float"),
        (".5", "float"),
        ("1.", "float"),
        (".inf", "float"),
        ("12:30", "str"),
        ("2026-01-01", "str"),
        ("1.2.3.4", "str"),
        ("v1", "str"),
        ("~", "null"),
        ("null", "null"),
        ("'null'", "str"),
        ("|\n 5", "str"),
    ],
)
def test_plain_scalars_are_typed_as_a_cluster_types_them(text: str, kind: str) -> None:
    assert kind_of(node(text)) == kind


def test_an_empty_value_is_null_and_an_empty_text_is_not() -> None:
    composed = yaml.compose("{a: , b: ''}", yaml.CSafeLoader)
    assert isinstance(composed, yaml.MappingNode)
    assert [is_null(value) for _, value in composed.value] == [True, False]


@pytest.mark.parametrize(
    ("text", "value"),
    [("0400", 256), ("0o17", 15), ("0b101", 5), ("-0x10", -16), ("+7", 7), ("0", 0), ("1_0", 10)],
)
def test_integers_are_read_in_their_base(text: str, value: int) -> None:
    assert to_int(text) == value


def test_numbers_are_floats_too() -> None:
    assert (to_float("3"), to_float("1e3"), to_float("-.inf")) == (3.0, 1000.0, float("-inf"))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3s", 3.0),
        ("250ms", 0.25),
        ("1h30m", 5400.0),
        ("1.5s", 1.5),
        ("-3s", -3.0),
        ("0", 0.0),
        ("0s", 0.0),
        ("100us", 0.0001),
        ("1m0.5s", 60.5),
        (".5s", 0.5),
    ],
)
def test_durations_are_seconds(text: str, seconds: float) -> None:
    assert to_seconds(text) == seconds


@pytest.mark.parametrize("text", ["3sec", "3", "", "s", "3s ", "1d", "three", "-", "3 s", "1.2.3s"])
def test_what_go_would_not_parse_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        to_seconds(text)
