"""What the page is told of a real mesh that comes, is called, goes and comes again."""

import asyncio
import os
import socket
import sys
from pathlib import Path

import pytest

from localmesh.dashboard import reading as reading_module
from localmesh.dashboard import traces as traces_module
from localmesh.dashboard.arrows import Arrow
from localmesh.dashboard.reading import Reader, Reading
from localmesh.dashboard.traces import Asked, Traces
from localmesh.errors import MeshError
from localmesh.observe import readings
from localmesh.runtime import dirs
from tests.kit import Limit, eventually
from tests.localmesh.up.small import caller, copied

ROOT = Path(__file__).resolve().parents[3]


async def localmesh(state: Path, *words: str) -> None:
    """Run `localmesh …`; it succeeds."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "localmesh", "--state", str(state), *words), cwd=ROOT, env=os.environ
    )
    assert await asyncio.wait_for(process.wait(), Limit.RECOVERED.value) == 0


async def test_a_mesh_that_comes_is_called_goes_and_comes_again_is_followed(tmp_path: Path) -> None:
    state, deploy = tmp_path / "state", copied(tmp_path)
    reader = Reader(dirs.of(state))

    async def arrow() -> Arrow:
        async with caller() as calls:
            assert await calls.code() == "OK"
        found = (await reader.read()).arrows
        return next(each for each in found if each.target == "small/echo" and each.rate)

    async def ready() -> Reading:
        reading = await reader.read()
        assert reading.status
        assert all(pod["ready"] for pod in reading.status["pods"])
        return reading

    assert (await reader.read()).why == "the mesh is not running"
    try:
        await localmesh(state, "up", str(deploy))
        reading = await eventually(ready, what="every pod ready")
        assert reading.why == ""
        assert {policy["kind"] for policy in reading.policies} >= {"Gateway", "VirtualService"}
        seen = await eventually(arrow, within=Limit.STARTED, what="the arrow of the calls")
        assert (seen.source, seen.http, seen.mtls, seen.errors) == ("small/gateway", True, True, 0)
        await localmesh(state, "down")
        gone = await reader.read()
        assert (gone.status, gone.arrows, gone.why) == (None, [], "the mesh is not running")
        await localmesh(state, "up", str(deploy))
        await eventually(ready, what="every pod ready again")
    finally:
        await localmesh(state, "clean")


def test_rates_are_those_of_the_last_seconds_and_never_of_who_looked_before() -> None:
    reader = Reader(dirs.of(Path("/nowhere")))

    def compared(*times: float) -> list[float]:
        for time in times:
            reader._keep(readings.Reading(time, ()))
        return [reading.at for reading in reader._proxies]

    assert compared(100, 101, 102) == [100, 101, 102]
    assert compared(109) == [101, 102, 109]
    assert compared(125) == [109, 125]  # a machine that is slow still has two to compare
    assert compared(300) == [300]


async def test_a_mesh_that_hangs_is_told_of_and_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (reading_module, traces_module):
        monkeypatch.setattr(module, "ANSWER_SECONDS", 0.2)
    folders = dirs.of(tmp_path)
    control = folders.socket("control")
    control.parent.mkdir(parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as hung:
        hung.bind(str(control))
        hung.listen()  # the kernel takes connections, and nobody answers
        assert "DEADLINE_EXCEEDED" in (await Reader(folders).read()).why
        with pytest.raises(MeshError, match="DEADLINE_EXCEEDED"):
            await asyncio.to_thread(Traces(folders).listed, Asked())
        with pytest.raises(MeshError, match="DEADLINE_EXCEEDED"):
            await asyncio.to_thread(Traces(folders).shown, "0" * 32)
