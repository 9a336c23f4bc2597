"""A replica killed amid traffic, without one failed call."""

from collections import Counter

from clients.channel import Gateway
from clients.demo import calls, mesh
from clients.demo.story import BrokenPromise, Story

VICTIM = "mesh/user-v1-0"
_CALLERS = 8
_PAUSE_SECONDS = 0.04
_MOST_CALLS = 20_000
_BEFORE = 200  # calls before the kill
_BACK_SECONDS = 90.0


async def survived(story: Story, gateway: Gateway, user_id: str) -> None:
    """Calls before, while it is dead, and until it answers again."""
    before = await mesh.pod(VICTIM)
    name = VICTIM.partition("/")[2]
    async with calls.steady_load(
        gateway, user_id, callers=_CALLERS, pause_seconds=_PAUSE_SECONDS, most=_MOST_CALLS
    ) as load:
        served = await load.until(
            lambda: len(load.answers) >= _BEFORE and any(answer.pod == name for answer in load.answers),
            within_seconds=30,
        )
        if not served:
            raise BrokenPromise(f"{VICTIM} answers calls", f"{len(load.answers)} calls, none of them answered by it")
        await mesh.kill(VICTIM)
        killed_after = len(load.answers)
        story.say(f"After {killed_after} calls {VICTIM} gets SIGKILL. The calls go on.")
        back = await load.until(
            lambda: any(answer.pod == name for answer in load.answers[killed_after + _CALLERS :]),
            within_seconds=_BACK_SECONDS,
        )
    for pod, count in sorted(Counter(answer.pod for answer in load.answers[killed_after:]).items()):
        story.say(f"{pod:<24} {count:>4} calls since then")
    story.hold(
        not load.failures,
        "a replica died and no call failed",
        f"{len(load.answers)} calls, {len(load.failures)} failed" + (f": {load.failures[0]}" if load.failures else ""),
    )
    after = await mesh.pod(VICTIM)
    story.hold(
        back and after.ready and after.restarts > before.restarts,
        f"{VICTIM} was started again and answers",
        f"{after.state}, {after.restarts - before.restarts} restarts",
    )
