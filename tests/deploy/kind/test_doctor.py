"""make doctor: what is missing or too old, and how to get it."""

from dataclasses import replace
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
        ("kubectl version", "Client Version: v1.32.4-dispatcher", Verdict.GOOD),
        # Built by hand, without the version at link time.
        ("kubectl version", "Client Version: v0.0.0-master+$Format:%H$", Verdict.DOUBTFUL),
        ("istioctl version", "client version: unknown", Verdict.DOUBTFUL),
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


def test_where_nothing_is_pulled_every_image_that_docker_has_not_is_named_before_anything_begins(
    world: World, settings: Settings
) -> None:
    world.set(images=["hub.example/pilot:1.30.4", "nats:2.11"])
    assert doctor.healthy(replace(settings, skip_pull=True), world.told.append), "the nodes may have them"
    missing = {"python:3.13-slim", "hub.example/proxyv2:1.30.4", "hub.example/install-cni:1.30.4"}
    assert {line.split()[2] for line in world.told if "is not in docker" in line} == missing
    assert any("nats:2.12, as 2.11" in line for line in world.told)
    assert any("hub.example/pilot:1.30.4" in line and "ok" in line for line in world.told)


def test_where_images_are_pulled_nobody_asks_for_them_before(world: World, settings: Settings) -> None:
    assert {finding.name for finding in doctor.findings(settings)} & {"image"} == set()
