"""The start of a mesh: what its order is good for."""

import asyncio
import time
from pathlib import Path

import pytest

from localmesh.runtime import dirs
from localmesh.up import stages
from localmesh.up.beginning import running
from tests.kit import eventually
from tests.localmesh.up.small import copied, save


async def test_a_file_saved_just_after_it_was_read_for_the_first_time_is_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy = copied(tmp_path)
    routes, read = deploy / "routes.yaml", stages.read

    def read_and_then_saved(*args: object, **named: object) -> stages.Written:
        written = read(*args, **named)  # type: ignore[arg-type]
        monkeypatch.undo()
        save(routes, routes.read_text().replace("    - route:", "    - timeout: 7.5s\n      route:"))
        return written

    monkeypatch.setattr("localmesh.up.beginning.stages.read", read_and_then_saved)
    async with running((deploy,), dirs.of(tmp_path / "state"), asyncio.Event(), time.time()) as mesh:
        await eventually(lambda: "7.500s" in mesh.config("small/gateway-0"), what="the gateway has the new timeout")
