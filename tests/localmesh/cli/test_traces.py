"""The words of `localmesh traces`; tests/mesh/test_tracing.py has it asked of a running mesh."""

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner

from localmesh.cli import cli
from localmesh.cli.traces import Length
from localmesh.control.server import serving
from localmesh.observe.store import TraceStore
from localmesh.runtime import dirs
from tests.localmesh.observe.otlp_spans import span, taken


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


async def test_traces_are_listed_in_the_order_in_which_they_began(tmp_path: Path) -> None:
    """Not in that of their arrival: a span arrives when it ends, and from some programs later than from others."""
    store = TraceStore()
    for began in (20, 0, 10):
        store.take(taken(span(name=f"at {began}", begin_ms=began)))
    mesh: Any = SimpleNamespace(traces=lambda: store)
    here = dirs.of(tmp_path)
    with dirs.held(here):
        async with serving(mesh, here.socket("control")):
            asked = ["--state", str(tmp_path), "traces", "--json"]
            ended = await asyncio.to_thread(CliRunner().invoke, cli, asked)
    assert [each["name"] for each in json.loads(ended.output)["traces"]] == ["at 0", "at 10", "at 20"]
