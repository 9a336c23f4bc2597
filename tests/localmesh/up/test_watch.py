"""Saves of files, told as they happen: by inotify, and where there is none by looking again and again."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from localmesh.errors import MeshError
from localmesh.up.watch import Watch
from tests.kit import Limit


class Deploy:
    """A watched folder. Made in the loop of a test."""

    def __init__(self, folder: Path, *, poll: bool) -> None:
        self.folder, self._poll = folder, poll
        self.policy = self.written("policy.yaml", "a: 1")
        self.watch = self.watching(folder)

    def watching(self, *paths: Path) -> Watch:
        """A watch of these, from now on."""
        return Watch(paths, poll=self._poll)

    def written(self, name: str, text: str) -> Path:
        """A file below, written in one go."""
        file = self.folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        return file


@pytest.fixture(params=[False, True], ids=["inotify", "polling"])
async def deploy(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Deploy]:
    made = Deploy(tmp_path / "deploy", poll=request.param)
    yield made
    made.watch.close()


async def saved(watch: Watch) -> frozenset[Path]:
    """The next save that is told."""
    async with asyncio.timeout(Limit.SOON.value):
        return await anext(watch.saves())


async def test_a_file_put_in_the_place_of_another_is_a_save(deploy: Deploy) -> None:
    aside = deploy.written("policy.swp", "a: 2")
    aside.replace(deploy.policy)
    assert await saved(deploy.watch) == {deploy.policy}


async def test_what_was_saved_before_anybody_asked_is_told_so_that_it_can_be_watched_first_and_read_then(
    deploy: Deploy,
) -> None:
    deploy.policy.write_text("a: 22")
    await asyncio.sleep(0)
    assert await saved(deploy.watch) == {deploy.policy}


async def test_files_saved_at_one_time_are_one_save(deploy: Deploy) -> None:
    other = deploy.written("other.yml", "b: 1")
    deploy.policy.write_text("a: 22")
    assert await saved(deploy.watch) == {deploy.policy, other}


async def test_of_a_single_file_only_its_own_saves_are_told(deploy: Deploy) -> None:
    watch = deploy.watching(deploy.policy)
    deploy.written("other.yaml", "b: 1")
    deploy.policy.write_text("a: 22")
    assert await saved(watch) == {deploy.policy}
    watch.close()


async def test_files_that_are_not_yaml_are_passed_over(deploy: Deploy) -> None:
    deploy.written("notes.txt", "x")
    deploy.policy.write_text("a: 22")
    assert await saved(deploy.watch) == {deploy.policy}


async def test_hidden_files_are_passed_over(deploy: Deploy) -> None:
    deploy.written(".#policy.yaml", "of an editor")
    deploy.policy.write_text("a: 22")
    assert await saved(deploy.watch) == {deploy.policy}


async def test_a_file_that_is_named_is_told_whatever_its_name_is(deploy: Deploy) -> None:
    named = deploy.written("policy.conf", "a: 1")
    watch = deploy.watching(named)
    named.write_text("a: 22")
    assert await saved(watch) == {named}
    watch.close()


async def test_a_save_after_others_that_nobody_has_taken_yet_is_noticed(deploy: Deploy) -> None:
    deploy.policy.write_text("a: 22")
    await deploy.watch.whole(deploy.policy.read_text)
    noticing = asyncio.create_task(deploy.watch.step_after(deploy.watch.steps))
    await asyncio.sleep(0)
    assert not noticing.done()
    deploy.policy.write_text("a: 333")
    async with asyncio.timeout(Limit.SOON.value):
        await noticing


async def test_a_file_in_a_new_folder_is_told_and_so_is_the_next_save_there(deploy: Deploy) -> None:
    below = deploy.written("below/policy.yaml", "a: 1")
    assert await saved(deploy.watch) == {below}
    below.write_text("a: 22")
    assert await saved(deploy.watch) == {below}


async def test_a_folder_that_is_put_in_the_place_of_the_watched_one_is_told(deploy: Deploy) -> None:
    deploy.folder.rename(deploy.folder.with_name("old"))
    deploy.written("policy.yaml", "a: 22")
    assert deploy.policy in await saved(deploy.watch)


async def test_a_removed_file_is_told(deploy: Deploy) -> None:
    deploy.policy.unlink()
    assert await saved(deploy.watch) == {deploy.policy}


async def test_a_file_is_told_when_it_is_whole(deploy: Deploy) -> None:
    read: list[str] = []
    with deploy.policy.open("w") as half:
        half.write("a: 1\n")
        half.flush()
        telling = asyncio.create_task(saved(deploy.watch))
        telling.add_done_callback(lambda _: read.append(deploy.policy.read_text()))
        await asyncio.sleep(0)
        half.write("b: 2\n")
    assert await telling == {deploy.policy}
    assert read == ["a: 1\nb: 2\n"]


async def test_what_is_saved_while_the_files_are_read_has_them_read_again(deploy: Deploy) -> None:
    texts = iter(("a: 22", "a: 333"))
    seen = []

    def read() -> str:
        seen.append(deploy.policy.read_text())
        if text := next(texts, None):
            deploy.policy.write_text(text)
        return seen[-1]

    assert await deploy.watch.whole(read) == "a: 333"
    assert seen == ["a: 1", "a: 22", "a: 333"]


async def test_what_is_wrong_with_half_a_file_is_not_told_once_it_is_whole(deploy: Deploy) -> None:
    deploy.policy.write_text("a: [")

    def read() -> str:
        text = deploy.policy.read_text()
        if text == "a: [":
            deploy.policy.write_text("a: [1]")
            raise MeshError("not YAML")
        return text

    assert await deploy.watch.whole(read) == "a: [1]"


async def test_what_is_wrong_with_files_that_nobody_saves_is_raised(deploy: Deploy) -> None:
    def read() -> str:
        raise MeshError("not YAML")

    with pytest.raises(MeshError, match="not YAML"):
        await deploy.watch.whole(read)
