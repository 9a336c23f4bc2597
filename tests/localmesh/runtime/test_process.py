"""One child process."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from localmesh.errors import MeshError
from localmesh.runtime import process, records
from localmesh.runtime.dirs import Dirs
from tests.kit import eventually
from tests.localmesh.runtime.kit import launch, python

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
)


async def test_what_a_child_writes_is_in_its_log(dirs: Dirs) -> None:
    child = await process.start(python(dirs, "import sys; print('out'); print('err', file=sys.stderr)"))
    assert await child.ended() == 0
    assert sorted(child.launch.log.read_text().split()) == ["err", "out"]


async def test_a_log_is_continued_by_the_next_process_and_readable_by_its_owner_only(dirs: Dirs) -> None:
    for word in ("one", "two"):
        await process.run(python(dirs, f"print({word!r})"), within=30)
    log = dirs.logs / "test.log"
    assert log.read_text().split() == ["one", "two"]
    assert log.stat().st_mode & 0o777 == 0o600


async def test_a_child_gets_its_own_environment_and_nothing_of_ours(
    dirs: Dirs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_PERSON", "x")
    started = launch(dirs, "env", env={"COLOUR": "green"})
    await process.run(started, within=30)
    names = {line.partition("=")[0] for line in started.log.read_text().splitlines()}
    assert names == {"PATH", "COLOUR"}


async def test_a_child_that_is_asked_to_end_ends(dirs: Dirs) -> None:
    child = await process.start(launch(dirs, "sleep", "600"))
    assert await child.stop(30) == -signal.SIGTERM


async def test_a_child_that_does_not_listen_is_killed_after_its_grace(dirs: Dirs) -> None:
    child = await process.start(python(dirs, STUBBORN))
    await eventually(lambda: "up" in child.launch.log.read_text(), what="the child ignores SIGTERM")
    assert await child.stop(0.1) == -signal.SIGKILL


async def test_children_of_a_child_end_with_it(dirs: Dirs) -> None:
    child = await process.start(launch(dirs, "sh", "-c", "sleep 600 & echo $!; wait"))
    grandchild = int(await eventually(lambda: child.launch.log.read_text().strip(), what="the shell has a child"))
    await child.stop(30)
    await eventually(lambda: not records.started(grandchild), what="the grandchild has ended")


async def test_a_missing_program_is_named(dirs: Dirs) -> None:
    with pytest.raises(MeshError, match=r"no-such-program cannot be started: No such file"):
        await process.start(launch(dirs, "no-such-program"))


async def test_a_file_that_is_no_program_is_named(dirs: Dirs) -> None:
    file = dirs.state / "text"
    file.write_text("text")
    with pytest.raises(MeshError, match=r"Permission denied\n  try: make it executable: chmod \+x"):
        await process.start(launch(dirs, str(file)))


async def test_a_machine_without_memory_for_a_child_is_told_of(dirs: Dirs, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: object, **__: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(asyncio, "create_subprocess_exec", full)
    with pytest.raises(MeshError, match="no memory for another process"):
        await process.start(launch(dirs, "sleep", "1"))


async def test_a_step_that_fails_says_how_and_what_it_wrote(dirs: Dirs) -> None:
    with pytest.raises(MeshError, match=r"failed: exit status 3\n  try: broken"):
        await process.run(launch(dirs, "sh", "-c", "echo broken; exit 3"), within=30)


async def test_a_step_that_does_not_end_is_ended(dirs: Dirs) -> None:
    with pytest.raises(MeshError, match=r"sleep 600 did not end within 0.05 s"):
        await process.run(launch(dirs, "sleep", "600"), within=0.05)
    assert not list(dirs.processes.iterdir())


async def test_a_step_reads_its_input_to_the_end(dirs: Dirs) -> None:
    started = launch(dirs, "wc", "-c")
    await process.run(started, "x" * 300_000, within=30)
    assert started.log.read_text().strip() == "300000"


async def test_a_step_may_leave_its_input_unread(dirs: Dirs) -> None:
    await process.run(launch(dirs, "true"), "x" * 300_000, within=30)


PARENT = """
import asyncio, os, sys
from pathlib import Path
from localmesh.runtime import process
from localmesh.runtime.process import Launch

async def main():
    rootless = sys.argv[2] == "rootless"
    launch = Launch(("sleep", "600"), Path(sys.argv[1], "log"), Path(sys.argv[1]), dict(os.environ), rootless=rootless)
    child = await process.start(launch)
    print(child.pid, flush=True)
    await child.ended()

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
@pytest.mark.parametrize("how", ["plain", "rootless"])
async def test_no_child_outlives_a_parent_that_is_killed(tmp_path: Path, how: str) -> None:
    env = dict(os.environ, PYTHONPATH=str(Path.cwd()))
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(tmp_path), how, stdout=asyncio.subprocess.PIPE, env=env
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    # Only then is the tether tied.
    comm = Path(f"/proc/{pid}/comm")
    await eventually(lambda: comm.read_text() == "sleep\n", what="the child runs its program")
    parent.kill()
    await parent.wait()
    await eventually(lambda: not records.started(pid), what="the child has ended")
