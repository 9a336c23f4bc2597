"""A replica killed amid traffic, without one failed call."""

import asyncio
import time
from collections import Counter

from clients.channel import Gateway
from clients.demo import calls
from clients.demo.mesh import Mesh, Pod, pod, replica
from clients.demo.story import BrokenPromise, Story

WORKLOAD = "mesh/user-v1"
_CALLERS = 8
_PAUSE_SECONDS = 0.04
_MOST_CALLS = 20_000
_BEFORE = 200  # calls before the kill
_BACK_SECONDS = 90.0


async def survived(story: Story, gateway: Gateway, mesh: Mesh, user_id: str) -> None:
    """Calls before, while it is dead, and until it answers again."""
    before = await replica(mesh, WORKLOAD)
    victim, name = before.name, before.name.partition("/")[2]
    async with calls.steady_load(
        gateway, user_id, callers=_CALLERS, pause_seconds=_PAUSE_SECONDS, most=_MOST_CALLS
    ) as load:
        served = await load.until(
            lambda: len(load.answers) >= _BEFORE and any(answer.pod == name for answer in load.answers),
            within_seconds=30,
        )
        if not served:
            raise BrokenPromise(f"{victim} answers calls", f"{len(load.answers)} calls, none of them answered by it")
        await mesh.kill(victim)
        killed_after = len(load.answers)
        story.say(f"After {killed_after} calls {victim} gets SIGKILL. The calls go on.")
        back = await load.until(
            lambda: any(answer.pod == name for answer in load.answers[killed_after + _CALLERS :]),
            within_seconds=_BACK_SECONDS,
        )
    for who, count in sorted(Counter(answer.pod for answer in load.answers[killed_after:]).items()):
        story.say(f"{who:<24} {count:>4} calls since then")
    story.hold(
        not load.failures,
        "a replica died and no call failed",
        f"{len(load.answers)} calls, {len(load.failures)} failed" + (f": {load.failures[0]}" if load.failures else ""),
    )
    after = await _again(mesh, before)
    story.hold(
        back and after.ready and after.restarts > before.restarts,
        f"{victim} was started again and answers",
        f"{after.state}, {after.restarts - before.restarts} restarts",
    )


async def _again(mesh: Mesh, before: Pod) -> Pod:
    """The pod once it counts as ready after one more restart, which may be later than its first call."""
    end = time.monotonic() + _BACK_SECONDS
    while True:
        after = await pod(mesh, before.name)
        if (after.ready and after.restarts > before.restarts) or time.monotonic() > end:
            return after
        await asyncio.sleep(0.2)
