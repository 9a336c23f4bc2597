"""make doctor: what is missing or too old, and how to get it."""

from pathlib import Path

import pytest

from deploy.kind import doctor
from deploy.kind.doctor import Verdict
from deploy.kind.settings import Settings
from tests.deploy.kind.conftest import World


def found(settings: Settings, name: str) -> doctor.Finding:
    """The finding of this name."""
    return next(finding for finding in doctor.findings(settings) if finding.name == name)


def test_all_is_well_with_all_programs(world: World, settings: Settings) -> None:
    assert doctor.healthy(settings, world.told.append)
    assert "kind       0.32.0" in world.text


@pytest.mark.parametrize("program", ["docker", "kind", "kubectl", "istioctl"])
def test_a_program_that_is_missing_is_told_with_where_to_get_it(world: World, settings: Settings, program: str) -> None:
    world.without(program)
    finding = found(settings, program)
    assert (finding.verdict, finding.found) == (Verdict.BAD, "not on PATH")
    assert "https://" in finding.remedy


@pytest.mark.parametrize(
    ("program", "said", "verdict"),
    [
        ("kind version", "kind v0.26.0 go1.23.4 linux/amd64", Verdict.BAD),
        ("kind version", "kind v0.27.0 go1.23.6 linux/arm64", Verdict.GOOD),
        ("istioctl version", "client version: 1.29.9", Verdict.BAD),
        ("istioctl version", "1.30.3", Verdict.GOOD),
        ("istioctl version", "client version: 1.31.0", Verdict.DOUBTFUL),
        ("kubectl version", "Client Version: v1.30.2", Verdict.BAD),
    ],
)
def test_versions_are_held_against_what_is_needed(
    world: World, settings: Settings, program: str, said: str, verdict: Verdict
) -> None:
    world.set(answers={program: [said]})
    assert found(settings, program.partition(" ")[0]).verdict is verdict


def test_an_engine_that_does_not_answer_is_as_bad_as_none(world: World, settings: Settings) -> None:
    world.set(fails={"docker version": [1, "Cannot connect to the Docker daemon"]})
    finding = found(settings, "docker")
    assert finding.verdict is Verdict.BAD
    assert "Cannot connect" in finding.found


def test_low_inotify_limits_are_told_with_the_command_that_raises_them(tmp_path: Path) -> None:
    (tmp_path / "max_user_instances").write_text("128\n")
    (tmp_path / "max_user_watches").write_text("1048576\n")
    instances, watches = doctor.inotify_found(tmp_path)
    assert instances.remedy == "sudo sysctl fs.inotify.max_user_instances=512"
    assert watches.verdict is Verdict.GOOD


def test_little_memory_is_doubtful_and_stops_nothing(world: World, settings: Settings) -> None:
    world.set(answers={"docker info --format {{.MemTotal}}": ["4294967296"]})
    assert found(settings, "memory").verdict is Verdict.DOUBTFUL
    assert doctor.healthy(settings, world.told.append)
