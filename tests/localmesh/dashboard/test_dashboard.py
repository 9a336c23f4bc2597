"""`localmesh dashboard`, as a process."""

import asyncio
import json
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.kit import Limit

ROOT = Path(__file__).resolve().parents[3]


@asynccontextmanager
async def started(state: Path, *words: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "localmesh", "--state", str(state), "dashboard", *words),
        cwd=ROOT,
        stdout=PIPE,
        stderr=PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def ended(process: Process) -> tuple[int | None, str]:
    """Its exit code, and what it complained of."""
    assert process.stderr
    said = await asyncio.wait_for(process.stderr.read(), Limit.STARTED.value)
    await asyncio.wait_for(process.wait(), Limit.STARTED.value)
    return process.returncode, said.decode()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=str)
async def test_it_says_where_it_is_tells_of_a_mesh_that_is_down_and_ends_clean(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with started(tmp_path, "--listen", "127.0.0.1:0") as process, aiohttp.ClientSession() as client:
        assert process.stdout
        line = await asyncio.wait_for(process.stdout.readline(), Limit.STARTED.value)
        address = line.decode().split()[0]
        # Its page is open, as when a person looks.
        async with client.get(f"{address}api/mesh") as answer:
            while not (said := await answer.content.readline()).startswith(b"data: "):
                pass
            reading = json.loads(said.removeprefix(b"data: "))
            assert reading["status"] is None
            assert (reading["why"], reading["hint"]) == ("the mesh is not running", "localmesh up")
            process.send_signal(number)
            assert await ended(process) == (0, "")


async def test_a_port_that_is_taken_is_one_message(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with started(tmp_path, "--listen", f"127.0.0.1:{port}") as process:
            code, said = await ended(process)
    assert code == 1
    assert f"127.0.0.1:{port} cannot be listened on" in said
    assert "--listen" in said
    assert "Traceback" not in said


async def test_an_address_that_others_could_reach_is_refused(tmp_path: Path) -> None:
    async with started(tmp_path, "--listen", "0.0.0.0:8088") as process:
        code, said = await ended(process)
    assert code == 1
    assert "not an address of this machine alone" in said
