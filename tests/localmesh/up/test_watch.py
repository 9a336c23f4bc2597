"""Saves of files, told as they happen."""

import asyncio
from pathlib import Path

from localmesh.up.watch import saves
from tests.kit import Limit


async def next_save(paths: list[Path], write: list[tuple[Path, str]]) -> frozenset[Path]:
    """The first save that is told, while `write` is written as an editor does: aside, then into place."""
    stop = asyncio.Event()

    async def edit() -> None:
        while True:  # until the watch has begun, which it does not tell
            for file, text in write:
                aside = file.with_suffix(".swp")
                aside.write_text(text)
                aside.replace(file)
            await asyncio.sleep(0.05)

    editing = asyncio.create_task(edit())
    try:
        async with asyncio.timeout(Limit.SOON.value):
            async for files in saves(paths, stop):
                return files
    finally:
        editing.cancel()
        stop.set()
    raise AssertionError("the watch ended")


async def test_a_file_put_in_the_place_of_another_is_a_save(tmp_path: Path) -> None:
    file = tmp_path / "below" / "policy.yaml"
    file.parent.mkdir()
    assert await next_save([tmp_path], [(file, "a: 1")]) == {file.resolve()}


async def test_of_a_single_file_only_its_own_saves_are_told(tmp_path: Path) -> None:
    ours, other = tmp_path / "ours.yaml", tmp_path / "other.yaml"
    ours.write_text("a: 1")
    assert await next_save([ours], [(other, "b: 1"), (ours, "a: 2")]) == {ours.resolve()}


async def test_files_that_are_not_yaml_are_passed_over(tmp_path: Path) -> None:
    text, policy = tmp_path / "notes.txt", tmp_path / "policy.yml"
    assert await next_save([tmp_path], [(text, "x"), (policy, "a: 1")]) == {policy.resolve()}
