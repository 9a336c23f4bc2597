"""Saves of files, told as they happen: by inotify, and where there is none by looking again and again."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeVar

import pytest

from localmesh.errors import MeshError
from localmesh.up.watch import Watch
from tests.kit import Limit, eventually

T = TypeVar("T")


class Clock:
    """Goes fast until it is stopped: then nothing that is waited for goes by, however slow a run is."""

    FAST = 20

    def __init__(self) -> None:
        self.asked = 0
        self._stands: float | None = None

    def __call__(self) -> float:
        self.asked += 1
        return time.monotonic() * self.FAST if self._stands is None else self._stands

    def stop(self) -> None:
        """Stand still from now on."""
        self._stands = self()

    def pass_(self, seconds: float) -> None:
        """So many seconds have gone by on the clock that stands."""
        assert self._stands is not None
        self._stands += seconds


class Deploy:
    """A watched folder. Made in the loop of a test."""

    def __init__(self, folder: Path, *, poll: bool) -> None:
        self.folder, self.polls = folder, poll
        self.clock = Clock()
        self.policy = self.written("policy.yaml", "a: 1")
        self.watch = self.watching(folder)

    def watching(self, *paths: Path) -> Watch:
        """A watch of these, from now on."""
        return Watch(paths, poll=self.polls, clock=self.clock)

    async def noticed(self, waiting: asyncio.Task[T], *, after: int) -> None:
        """Return when more steps are seen than these, and the watch has considered them or told of them."""
        await eventually(lambda: self.watch.steps > after, what="a step is seen")
        await self.considered(waiting)

    async def considered(self, waiting: asyncio.Task[T]) -> None:
        """Return when who waits for a save was told, or the watch has found that it is too early to tell."""
        asked = self.clock.asked
        await eventually(lambda: waiting.done() or self.clock.asked > asked + 2, what="the watch considers a save")

    def written(self, name: str, text: str) -> Path:
        """A file below, written in one go."""
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
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


async def test_a_file_that_is_written_in_several_goes_is_told_when_the_last_is_over(deploy: Deploy) -> None:
    deploy.clock.stop()
    telling = asyncio.create_task(saved(deploy.watch))
    with deploy.policy.open("w") as half:
        for line in ("a: 1\n", "b: 2\n", "c: 3\n"):
            steps = deploy.watch.steps
            half.write(line)
            half.flush()
            await deploy.noticed(telling, after=steps)
            # Polling sees no close: it waits for as long as that takes usually.
            deploy.clock.pass_(0.25 if deploy.polls else 9)
            await deploy.considered(telling)
            assert not telling.done()
    if deploy.polls:
        deploy.clock.pass_(0.1)
    assert await telling == {deploy.policy}


async def test_a_file_that_is_held_open_for_ever_counts_as_what_it_says_in_the_end(deploy: Deploy) -> None:
    deploy.clock.stop()
    telling = asyncio.create_task(saved(deploy.watch))
    with deploy.policy.open("w") as half:
        half.write("a: 22")
        half.flush()
        await deploy.noticed(telling, after=0)
        deploy.clock.pass_(11)
        assert await telling == {deploy.policy}


async def test_a_file_that_is_emptied_is_told_when_it_is_filled(deploy: Deploy) -> None:
    deploy.clock.stop()
    telling = asyncio.create_task(saved(deploy.watch))
    deploy.policy.write_text("")
    await deploy.noticed(telling, after=0)
    deploy.clock.pass_(9)
    await deploy.considered(telling)
    assert not telling.done()
    steps = deploy.watch.steps
    deploy.policy.write_text("a: 22")
    await eventually(lambda: deploy.watch.steps > steps, what="the filling is seen")
    if deploy.polls:
        deploy.clock.pass_(0.35)
    assert await telling == {deploy.policy}


async def test_a_file_that_stays_empty_is_told_in_the_end(deploy: Deploy) -> None:
    deploy.clock.stop()
    telling = asyncio.create_task(saved(deploy.watch))
    deploy.policy.write_text("")
    await deploy.noticed(telling, after=0)
    deploy.clock.pass_(11)
    assert await telling == {deploy.policy}


async def test_a_new_file_may_be_empty(deploy: Deploy) -> None:
    deploy.clock.stop()
    telling = asyncio.create_task(saved(deploy.watch))
    empty = deploy.written("other.yaml", "")
    await deploy.noticed(telling, after=0)
    if deploy.polls:
        deploy.clock.pass_(0.35)
    assert await telling == {empty}


async def test_a_file_that_is_gone_may_come_back(deploy: Deploy) -> None:
    deploy.clock.stop()
    reading = asyncio.create_task(deploy.watch.whole(deploy.policy.exists))
    noticing = asyncio.create_task(saved(deploy.watch))
    aside = deploy.policy.rename(deploy.folder / "policy.yaml~")
    await deploy.noticed(noticing, after=0)
    deploy.clock.pass_(0.25)
    await deploy.considered(noticing)
    assert not noticing.done()
    assert not reading.done()
    steps = deploy.watch.steps
    aside.rename(deploy.policy)
    await eventually(lambda: deploy.watch.steps > steps, what="the new one is seen")
    deploy.clock.pass_(0.35)
    assert await noticing == {deploy.policy}
    assert await reading


async def test_an_edit_that_keeps_size_and_time_is_told(deploy: Deploy) -> None:
    known = deploy.policy.stat()

    def edited() -> bool:
        deploy.policy.write_text("a: 2")
        os.utime(deploy.policy, ns=(known.st_atime_ns, known.st_mtime_ns))
        return deploy.policy.stat().st_ctime_ns > known.st_ctime_ns

    await eventually(edited, what="the clock of the file system has moved on")  # it goes in steps of some ms
    assert await saved(deploy.watch) == {deploy.policy}


async def test_an_edit_of_what_a_symbolic_link_leads_to_is_told_of_the_link(deploy: Deploy) -> None:
    target = deploy.folder.with_name("elsewhere.yaml")
    target.write_text("a: 1")
    link = deploy.folder / "link.yaml"
    link.symlink_to(target)
    assert await saved(deploy.watch) == {link}
    later = deploy.watching(deploy.folder)
    target.write_text("a: 22")
    assert await saved(deploy.watch) == {link}
    assert await saved(later) == {link}
    later.close()


async def test_a_symbolic_link_that_leads_to_itself_does_no_harm(deploy: Deploy) -> None:
    link = deploy.folder / "link.yaml"
    link.symlink_to(link)
    later = deploy.watching(deploy.folder)
    deploy.policy.write_text("a: 22")
    assert deploy.policy in await saved(deploy.watch)
    assert await saved(later) == {deploy.policy}
    later.close()


async def test_a_hidden_folder_that_is_made_is_passed_over_with_all_below(deploy: Deploy) -> None:
    (deploy.folder / ".git").mkdir()
    deploy.written(".git/below/policy.yaml", "b: 1")
    deploy.policy.write_text("a: 22")
    assert await saved(deploy.watch) == {deploy.policy}
    deploy.written(".git/below/policy.yaml", "b: 22")
    deploy.policy.write_text("a: 333")
    assert await saved(deploy.watch) == {deploy.policy}


@pytest.mark.parametrize("deploy", [False], ids=["inotify"], indirect=True)  # polling has waited longer by then
async def test_files_that_are_saved_one_right_after_the_other_are_read_together(deploy: Deploy) -> None:
    deploy.clock.stop()
    deploy.policy.write_text("a: 22")
    seen: list[bool] = []
    other = deploy.folder / "other.yaml"

    def read() -> bool:
        seen.append(other.exists())
        return seen[-1]

    reading = asyncio.create_task(deploy.watch.whole(read))
    await eventually(lambda: seen, what="the first is read")
    steps = deploy.watch.steps
    deploy.written("other.yaml", "b: 1")
    await eventually(lambda: deploy.watch.steps > steps, what="the second is seen")
    deploy.clock.pass_(0.35)
    await eventually(lambda: len(seen) == 2, what="both are read")
    deploy.clock.pass_(0.35)
    assert await reading
    assert seen == [False, True]


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
