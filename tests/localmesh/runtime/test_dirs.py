"""The folders of a mesh."""

import asyncio
import fcntl
import os
import sys
import threading
from pathlib import Path

import pytest

from localmesh.errors import MeshError
from localmesh.runtime import dirs as folders
from localmesh.runtime import records
from localmesh.runtime.dirs import Dirs


def test_paths_of_sockets_are_short_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: "/var/folders/" + "x" * 60)
    mine = folders.of(Path("/home/ada/projects/" + "deep/" * 30))
    for name in ("user-0", "a-very-long-name-of-a-workload-of-somebody-who-likes-long-names-0"):
        assert len(os.fsencode(mine.pod("a-namespace", name).sockets / "http-metrics.sock")) <= 107


def test_long_names_do_not_share_a_folder(dirs: Dirs) -> None:
    same = "a-very-long-name-of-a-workload-of-somebody-who-likes-long-names"
    assert dirs.pod("mesh", f"{same}-0").run != dirs.pod("mesh", f"{same}-1").run


def test_two_state_folders_have_two_run_folders(tmp_path: Path) -> None:
    assert folders.of(tmp_path / "a").run != folders.of(tmp_path / "b").run


def test_the_run_folder_is_private_and_gone_afterwards(tmp_path: Path) -> None:
    mine = folders.of(tmp_path / ".mesh")
    with folders.held(mine):
        assert mine.run.stat().st_mode & 0o777 == 0o700
        assert folders.holder(mine) == os.getpid()
    assert not mine.run.exists()
    assert folders.holder(mine) is None
    assert mine.data.is_dir()


def test_a_second_mesh_on_the_same_folders_is_told_who_has_them(dirs: Dirs) -> None:
    with pytest.raises(MeshError, match=rf"is running already \(process {os.getpid()}\)"), folders.held(dirs):
        pass
    assert folders.holder(dirs) == os.getpid()


def test_who_only_asks_for_the_holder_keeps_nobody_from_becoming_it_and_is_not_taken_for_one(tmp_path: Path) -> None:
    """Somebody asks without end, as two `up` at once would for a moment each."""
    mine = folders.of(tmp_path / ".mesh")
    with folders.held(mine):
        pass
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            folders.holder(mine)

    askers = [threading.Thread(target=ask) for _ in range(2)]
    for each in askers:
        each.start()
    try:
        for _ in range(200):
            with folders.held(mine):
                assert folders.holder(mine) == os.getpid()
            assert folders.holder(mine) is None
    finally:
        over.set()
        for each in askers:
            each.join()


def test_a_lock_that_clean_removes_before_it_is_taken_is_taken_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = folders.of(tmp_path / ".mesh")
    taken: list[object] = []

    def flock(file: int, operation: int) -> None:
        if not taken:
            (mine.state / "lock").unlink()
        taken.append(file)
        lock(file, operation)

    lock = fcntl.flock
    monkeypatch.setattr("fcntl.flock", flock)
    with folders.held(mine):
        assert len(taken) == 2
        assert folders.holder(mine) == os.getpid()


@pytest.mark.parametrize("below", ["file/state", "file"])
def test_a_folder_that_cannot_be_made_is_a_message(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MeshError, match="cannot be used"), folders.held(folders.of(tmp_path / below)):
        pass


def test_asking_for_the_holder_makes_nothing(tmp_path: Path) -> None:
    mine = folders.of(tmp_path / "none")
    assert folders.holder(mine) is None
    assert not mine.state.exists()


def test_somebody_elses_folder_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = folders.of(tmp_path / ".mesh")
    mine.run.mkdir()
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with pytest.raises(MeshError, match="belongs to somebody else"), folders.held(mine):
        pass
    mine.run.rmdir()


def test_a_link_in_place_of_the_run_folder_is_not_followed(tmp_path: Path) -> None:
    mine = folders.of(tmp_path / ".mesh")
    mine.run.symlink_to(tmp_path)
    with pytest.raises(MeshError, match="belongs to somebody else"), folders.held(mine):
        pass
    mine.run.unlink()


CRASHING = """
import os, sys
from pathlib import Path
from localmesh.runtime import dirs as folders
with folders.held(folders.of(Path(sys.argv[1]))):
    print("held", flush=True)
    sys.stdin.read()
"""


async def test_what_a_killed_run_left_is_cleaned_up_by_the_next(tmp_path: Path) -> None:
    mine = folders.of(tmp_path / ".mesh")
    env = dict(os.environ, PYTHONPATH=str(Path.cwd()))
    pipe = asyncio.subprocess.PIPE
    run = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CRASHING, str(mine.state), stdin=pipe, stdout=pipe, env=env
    )
    assert run.stdout is not None
    assert await run.stdout.readline() == b"held\n"
    assert folders.holder(mine) == run.pid
    orphan = await asyncio.create_subprocess_exec("sleep", "600", start_new_session=True)
    records.add(mine.processes, orphan.pid)
    (mine.run / "mesh.user-0").mkdir()
    (mine.run / "ads.sock").touch()
    run.kill()
    await run.wait()
    with folders.held(mine):
        assert list(mine.run.iterdir()) == [mine.processes]
        assert not list(mine.processes.iterdir())
        assert await orphan.wait() == -9
