"""A log that grows too long is moved away, and who writes it goes on."""

import asyncio
from pathlib import Path

import pytest

from localmesh.runtime import trimming
from tests.kit import eventually


def test_a_long_log_is_moved_and_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "mesh.user-0.user.log"
    with log.open("a") as writer:
        print("first", file=writer, flush=True)
        trimming.trim(log, most_bytes=3)
        print("second", file=writer, flush=True)
    assert log.read_text() == "second\n"
    assert log.with_name(f"{log.name}.1").read_text() == "first\n"


def test_a_short_log_stays_and_one_that_is_gone_is_no_error(tmp_path: Path) -> None:
    log = tmp_path / "short.log"
    log.write_text("x")
    trimming.trim(log, most_bytes=3)
    trimming.trim(tmp_path / "gone.log", most_bytes=3)
    assert [each.name for each in tmp_path.iterdir()] == ["short.log"]


def test_a_log_that_cannot_be_moved_away_does_not_end_the_trimming(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("too long")
    log.with_name(f"{log.name}.1").mkdir()
    trimming.trim(log, most_bytes=3)
    assert log.read_text() == ""


async def test_the_log_of_the_mesh_itself_is_trimmed_as_those_of_its_pods(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trimming, "EVERY_SECONDS", 0.01)
    logs = [tmp_path / "localmesh.log", tmp_path / "mesh.gone-0.envoy.log"]
    for log in logs:
        with log.open("wb") as file:
            file.truncate(trimming.MOST_BYTES + 1)
    task = asyncio.create_task(trimming.trimming(tmp_path))
    try:
        await eventually(lambda: all(log.stat().st_size == 0 for log in logs), what="both are trimmed")
    finally:
        task.cancel()
    assert all(log.with_name(f"{log.name}.1").stat().st_size > trimming.MOST_BYTES for log in logs)
