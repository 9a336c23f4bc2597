"""Records of processes, and what is ended by them."""

import asyncio

from localmesh.runtime import records
from localmesh.runtime.dirs import Dirs


async def test_a_process_that_a_crashed_run_left_is_ended(dirs: Dirs) -> None:
    child = await asyncio.create_subprocess_exec("sleep", "600", start_new_session=True)
    records.add(dirs.processes, child.pid)
    assert records.end_all(dirs.processes) == (child.pid,)
    assert await child.wait() == -9
    assert not list(dirs.processes.iterdir())


async def test_a_process_that_only_has_the_number_of_ours_is_left_alone(dirs: Dirs) -> None:
    child = await asyncio.create_subprocess_exec("sleep", "600")
    (dirs.processes / str(child.pid)).write_text("another boot 17")
    assert records.end_all(dirs.processes) == ()
    assert child.returncode is None
    assert not list(dirs.processes.iterdir())
    child.kill()
    await child.wait()


async def test_a_process_that_has_ended_did_not_start(dirs: Dirs) -> None:
    child = await asyncio.create_subprocess_exec("true")
    await child.wait()
    assert records.started(child.pid) == ""
