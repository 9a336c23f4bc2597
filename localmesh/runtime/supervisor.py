"""All pods of a mesh: runs what the plans say, and tells who is ready.

A pod that is to end is first taken out of what the proxies know: `on_change` is called, which returns when all proxies
have acknowledged, then a moment passes for calls that were already on their way, and only then is its app asked to end.
(An app that closes its listener while proxies still pick it fails one call in ten.)
"""

import asyncio
import logging
import signal
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from difflib import get_close_matches

from localmesh.errors import MeshError
from localmesh.mesh import Placement
from localmesh.runtime.keeper import Phase
from localmesh.runtime.pod import Pod, PodState
from localmesh.runtime.podplan import PodPlan
from localmesh.runtime.publisher import Publisher

log = logging.getLogger(__name__)

_DRAIN = 0.25  # seconds after the proxies have acknowledged
_PUBLISH_WITHIN = 5.0  # a proxy that does not answer must not hold a restart for ever
_READY_WITHIN = 60.0  # for a replaced pod; the restart of its workload stops there if it is not
_HURRIED_WITHIN = 10.0  # what is left of that when something else is wanted already


class Supervisor:
    """Runs pods until `stop`. Its methods are called on one event loop, on the thread that ends last."""

    def __init__(
        self, *, bootstrap: Callable[[PodPlan], str], on_change: Callable[[], Awaitable[None]], drain: float = _DRAIN
    ) -> None:
        """`bootstrap`: the text that a pod's Envoy starts with. `on_change`: called when `placements()` has changed."""
        self._bootstrap, self._drain = bootstrap, drain
        self._proxies, self._states_moved = Publisher(on_change), Publisher(self._notify)
        self._pods: dict[str, Pod] = {}
        self._one_at_a_time = asyncio.Lock()
        self._changed = asyncio.Condition()
        self._seen: Mapping[str, Placement] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._ending = False

    def states(self) -> tuple[PodState, ...]:
        """All pods, in the order of the plans."""
        return tuple(pod.state for pod in self._pods.values())

    def placements(self) -> dict[str, Placement]:
        """Where each pod (`namespace/name`) stands, and whether it is ready now."""
        return {key: pod.placement for key, pod in self._pods.items()}

    def plans(self) -> tuple[PodPlan, ...]:
        """What runs."""
        return tuple(pod.plan for pod in self._pods.values())

    async def reconcile(self, plans: Iterable[PodPlan], *, hurry: asyncio.Event | None = None) -> None:
        """Run these pods and no others.

        New pods start at once. Pods that are gone end together. Pods whose processes differ are replaced one after
        the other in each workload, each when the one before is ready. Returns when that is done; new pods may not
        be ready yet: `ready` waits for them. MeshError if a replaced pod does not become ready; `hurry` as there.
        """
        await self._undisturbed(self._reconcile({plan.key: plan for plan in plans}, hurry))

    async def _reconcile(self, wanted: dict[str, PodPlan], hurry: asyncio.Event | None) -> None:
        async with self._one_at_a_time:
            if self._ending:
                raise MeshError("the mesh is stopping")
            self._start_watching()
            gone = [pod for key, pod in self._pods.items() if key not in wanted]
            new = [plan for key, plan in wanted.items() if key not in self._pods]
            changed = []
            for pod, plan in [(self._pods[key], plan) for key, plan in wanted.items() if key in self._pods]:
                if pod.plan.runs_as(plan) and pod.state.phase is not Phase.STOPPED:
                    pod.plan = plan
                else:
                    changed.append(plan)
            self._start_all(new)
            self._pods = {key: self._pods[key] for key in (*wanted, *(pod.plan.key for pod in gone))}
            self._touched()
            await _all(self._end(gone), self._roll(changed, hurry))

    async def restart(self, workload: str, *, hurry: asyncio.Event | None = None) -> None:
        """Replace all pods of a workload (`namespace/name`), one by one. MeshError and `hurry` as `reconcile`."""
        await self._undisturbed(self._restart(workload, hurry))

    async def _restart(self, workload: str, hurry: asyncio.Event | None) -> None:
        async with self._one_at_a_time:
            plans = [pod.plan for pod in self._pods.values() if pod.plan.workload == workload]
            if not plans:
                raise self._unknown("workload", workload, {pod.plan.workload for pod in self._pods.values()})
            await self._roll(plans, hurry)

    def kill(self, pod: str, number: signal.Signals = signal.SIGKILL, process: str = "") -> tuple[str, ...]:
        """Send a signal to a process of a pod (`namespace/name`), unannounced, as a crash would come.

        `process` is a container's name or `envoy`; "" means all apps, or the Envoy of a pod without apps. Returns the
        names of those that got it. MeshError if there is no such pod, or none of them runs.
        """
        if pod not in self._pods:
            raise self._unknown("pod", pod, set(self._pods))
        sent = self._pods[pod].send(number, process)
        if not sent:
            raise MeshError(f"{pod}: {process or 'no process'} does not run now", "see localmesh status")
        return sent

    async def ready(
        self, *, within: float, pods: Iterable[str] | None = None, hurry: asyncio.Event | None = None
    ) -> None:
        """Wait until these pods, by default all, are ready, and the proxies know it.

        MeshError after `within` seconds, with what holds each of them up; sooner once `hurry` is set: somebody waits.
        """
        keys = None if pods is None else set(pods)

        def waiting() -> list[PodState]:
            return [state for state in self.states() if not state.ready and (keys is None or state.key in keys)]

        try:
            async with _at_most(within, hurry), self._changed:
                await self._changed.wait_for(lambda: self._ending or not waiting())
            if self._ending:
                raise MeshError("the mesh is stopping")
        except TimeoutError:
            held_up = "\n".join(f"  {each.key}: {each.phase.value}: {each.reason}" for each in waiting())
            when = "when something else was wanted" if hurry and hurry.is_set() else f"after {within:g} s"
            raise MeshError(f"not ready {when}:\n{held_up}", "localmesh logs POD") from None
        await self._everybody_knows()

    async def changes(self, after: tuple[PodState, ...]) -> tuple[PodState, ...]:
        """Wait until the states differ from `after`, and return them."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.states() != after)
        return self.states()

    async def stop(self) -> None:
        """End all pods: those that keep data when the others have ended. Nothing of them is left."""
        self._ending = True
        self._states_moved.changed()
        async with self._one_at_a_time:
            pods = list(self._pods.values())
            for stores in (False, True):
                await asyncio.gather(*(pod.stop() for pod in pods if pod.plan.keeps_data is stores))
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._pods, self._tasks = {}, []

    def _start_all(self, plans: list[PodPlan]) -> None:
        """Start new pods, all at once, but apps only when the stores among them are prepared.

        Nothing can be done without a store, and the first start of one is work for one core: it should not have to
        share that with programs that will only wait for it.
        """
        preparing: list[asyncio.Event] = []
        for plan in sorted(plans, key=lambda plan: not plan.prepares):
            self._start(plan, () if plan.prepares else preparing)
            preparing += self._pods[plan.key].prepared

    def _start(self, plan: PodPlan, after: Iterable[asyncio.Event] = ()) -> None:
        pod = Pod(plan, self._touched)
        pod.start(self._bootstrap(plan), after)
        self._pods[plan.key] = pod

    async def _take_out(self, pods: list[Pod]) -> None:
        """End pods without losing a call."""
        for pod in pods:
            pod.drain()
        await self._everybody_knows()
        await asyncio.sleep(self._drain)
        await asyncio.gather(*(pod.stop() for pod in pods))

    async def _end(self, pods: list[Pod]) -> None:
        if pods:
            await self._take_out(pods)
            for pod in pods:
                del self._pods[pod.plan.key]
            self._touched()

    async def _roll(self, plans: Iterable[PodPlan], hurry: asyncio.Event | None) -> None:
        """Replace pods by these, one after the other in each workload, the workloads side by side."""
        by_workload = defaultdict(list)
        for plan in plans:
            by_workload[plan.workload].append(plan)

        async def roll(plans: list[PodPlan]) -> None:
            for plan in plans:
                await self._take_out([self._pods[plan.key]])
                self._start(plan)
                await self.ready(within=_READY_WITHIN, pods=[plan.key], hurry=hurry)

        await _all(*(roll(plans) for plans in by_workload.values()))

    def _touched(self) -> None:
        """Something about a pod has changed."""
        self._states_moved.changed()
        placements = self.placements()
        if placements != self._seen:
            self._seen = placements
            self._proxies.changed()

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _everybody_knows(self) -> None:
        if not await self._proxies.known(within=_PUBLISH_WITHIN):
            log.warning("not all proxies have acknowledged a change of the pods within %g s", _PUBLISH_WITHIN)

    @staticmethod
    async def _undisturbed(work: Coroutine[None, None, None]) -> None:
        """Do the work to its end, even if the caller is cancelled: half a restart would be a pod too few."""
        await asyncio.shield(asyncio.create_task(work))

    def _start_watching(self) -> None:
        if not self._tasks:
            running = (self._states_moved.run(), self._proxies.run())
            self._tasks = [asyncio.create_task(each) for each in running]

    @staticmethod
    def _unknown(kind: str, name: str, known: set[str]) -> MeshError:
        near = ", ".join(get_close_matches(name, known, n=1) or sorted(known))
        return MeshError(f"there is no {kind} {name}", f"did you mean {near}?" if near else "localmesh status")


async def _all(*work: Awaitable[None]) -> None:
    """Do everything to its end, whatever fails beside it; then raise what failed, the first of it if it is more."""
    for result in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


@asynccontextmanager
async def _at_most(seconds: float, hurry: asyncio.Event | None) -> AsyncIterator[None]:
    """As asyncio.timeout; once `hurry` is set, little is left of the time."""

    async def shorten(limit: asyncio.Timeout) -> None:
        if hurry is not None:
            await hurry.wait()
            soon = asyncio.get_running_loop().time() + _HURRIED_WITHIN
            limit.reschedule(min(soon, limit.when() or soon))

    async with asyncio.timeout(seconds) as limit:
        hurrying = asyncio.create_task(shorten(limit))
        try:
            yield
        finally:
            hurrying.cancel()
