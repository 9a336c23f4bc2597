"""The words of `localmesh traces`; tests/mesh/test_tracing.py has it asked of a running mesh."""

import click
import pytest
from click.testing import CliRunner

from localmesh.cli import cli
from localmesh.cli.traces import Length


@pytest.mark.parametrize(
    ("text", "seconds"), [("50ms", 0.05), ("1.5s", 1.5), ("2m", 120.0), ("250us", 0.00025), ("0s", 0.0)]
)
def test_a_length_of_time_has_a_unit(text: str, seconds: float) -> None:
    assert Length().convert(text, None, None) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["50", "ms", "1h", "-", "1,5s", "5 0ms", ""])
def test_what_is_none_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(click.BadParameter, match="such as 50ms"):
        Length().convert(text, None, None)


@pytest.mark.parametrize("verb", [["traces"], ["trace", "abc"]])
def test_without_a_mesh_it_says_how_to_start_one(verb: list[str], tmp_path: object) -> None:
    ended = CliRunner().invoke(cli, ["--state", str(tmp_path), *verb])
    assert "the mesh is not running" in str(ended.exception)
