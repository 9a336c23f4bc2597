"""Pods of real processes, watched over."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from localmesh.errors import MeshError
from localmesh.mesh.workloads import Asks, Container, EnvVar, Probe, Volume, Workload
from localmesh.runtime import programs, records
from localmesh.runtime.dirs import Dirs
from localmesh.runtime.keeper import Phase
from localmesh.runtime.local import Image, Listen, LocalRun
from localmesh.runtime.plan import plan
from localmesh.runtime.pod import PodState
from localmesh.runtime.podplan import PodPlan, Prepare, Step
from localmesh.runtime.supervisor import Supervisor
from localmesh.runtime.volumes import Folder
from tests.kit import Limit, eventually
from tests.localmesh.runtime.kit import Proxy, machine, mesh, workload

# Answers HTTP on a Unix socket, with what the file WELL says; writes down that it is asked to end.
APP = """
import os, signal, socket, sys

def end(*_):
    print("asked to end", flush=True)
    sys.exit(0)

signal.signal(signal.SIGTERM, end)
server = socket.socket(socket.AF_UNIX)
server.bind(os.environ["LISTEN"].removeprefix("unix:"))
server.listen()
print("up", os.environ["HOSTNAME"], os.environ.get("COLOUR"), flush=True)
while True:
    connection, _ = server.accept()
    connection.recv(1000)
    well = not os.path.exists(os.environ["ILL"])
    connection.sendall(b"HTTP/1.1 %d X\\r\\n\\r\\n" % (200 if well else 503))
    connection.close()
"""
LOCAL = LocalRun({"app": Image(("${python}", "-S", "-E", "-c", APP), {"http": Listen(env="LISTEN")})})


def app(
    dirs: Dirs, replicas: int = 1, colour: str = "green", startup: Probe | None = None, liveness: Probe | None = None
) -> Workload:
    """A workload of that app, asked for its readiness ten times a second."""
    env = (EnvVar("ILL", str(dirs.state / "ill")), EnvVar("COLOUR", colour))
    readiness = Probe(Asks.HTTP, port=80, period=0.1, failure_threshold=1)
    container = Container(
        "app", "app", env=env, ports=(("http", 80),), startup=startup, readiness=readiness, liveness=liveness
    )
    return workload("web", container, replicas=replicas, grace=20.0)


def plans(dirs: Dirs, *workloads: Workload, envoy: bool = False) -> tuple[PodPlan, ...]:
    """Their pods, with an Envoy where that is what is tested."""
    whole = mesh(*workloads)
    found = {"python": sys.executable, "envoy": str(programs.find("envoy").path)}
    made = plan(whole, LOCAL, machine(whole, dirs, found))
    return made if envoy else tuple(replace(each, envoy=None) for each in made)


def running(pod: PodPlan, *command: str) -> PodPlan:
    """The same pod with another program."""
    launch = replace(pod.apps[0].launch, command=command)
    return replace(pod, apps=(replace(pod.apps[0], launch=launch),))


def bootstrap(of: PodPlan) -> str:
    """An Envoy that does nothing but answer for itself."""
    return json.dumps(
        {"admin": {"address": {"pipe": {"path": str(of.admin)}}}, "node": {"id": of.name, "cluster": "test"}}
    )


@asynccontextmanager
async def supervised(
    *pods: PodPlan, on_change: Callable[[Supervisor], None] = lambda _: None
) -> AsyncIterator[Supervisor]:
    async def tell() -> None:
        on_change(supervisor)

    supervisor = Supervisor(bootstrap=bootstrap, on_change=tell, drain=0.01)
    try:
        await supervisor.reconcile(pods)
        yield supervisor
    finally:
        await supervisor.stop()


def written(pod: PodPlan) -> str:
    return pod.apps[0].launch.log.read_text()


def restarted(supervisor: Supervisor) -> PodState:
    """The state of its first pod, when that has been restarted."""
    state = supervisor.states()[0]
    assert state.restarts
    return state


async def test_pods_become_ready_and_leave_nothing_behind(dirs: Dirs) -> None:
    pods = plans(dirs, app(dirs, replicas=2), envoy=True)
    async with supervised(*pods) as supervisor:
        await supervisor.ready(within=Limit.STARTED.value)
        states = supervisor.states()
        assert [state.key for state in states] == ["mesh/web-0", "mesh/web-1"]
        assert {state.phase for state in states} == {Phase.READY}
        assert all(placement.ready for placement in supervisor.placements().values())
        pids = [each.pid for state in states for each in state.processes]
        assert len(set(pids)) == 4
    assert not any(pid and records.started(pid) for pid in pids)
    assert not list(dirs.processes.iterdir())
    assert not any(pod.dirs.run.exists() for pod in pods)


async def test_apps_start_when_the_first_start_of_a_store_is_done_or_has_failed(dirs: Dirs) -> None:
    (store, client) = (replace(each, name=name) for each, name in ((app(dirs), "store"), (app(dirs), "client")))
    client_plan, store_plan = plans(dirs, client, store)
    go = dirs.state / "go"
    wait = replace(store_plan.apps[0].launch, command=("sh", "-c", f"until test -e {go}; do sleep 0.02; done; exit 1"))
    prepare = Prepare(dirs.data / "volume", (Step(wait),))
    store_plan = replace(store_plan, apps=(replace(store_plan.apps[0], prepare=prepare),))
    async with supervised(client_plan, store_plan) as supervisor:
        now = {state.key: state.phase for state in supervisor.states()}
        while now["mesh/store-0"] is Phase.PENDING:
            now = {state.key: state.phase for state in await supervisor.changes(supervisor.states())}
        assert now == {"mesh/client-0": Phase.PENDING, "mesh/store-0": Phase.STARTING}
        go.touch()
        await supervisor.ready(within=Limit.STARTED.value, pods=["mesh/client-0"])
        await eventually(lambda: "sh -c" in supervisor.states()[1].reason, what="why the store waits is told")


async def test_a_pod_without_its_envoy_is_not_ready_until_the_envoy_is_back(dirs: Dirs) -> None:
    (pod,) = plans(dirs, app(dirs), envoy=True)
    seen: list[bool] = []
    async with supervised(pod, on_change=lambda of: seen.append(of.placements()["mesh/web-0"].ready)) as supervisor:
        await supervisor.ready(within=Limit.STARTED.value)
        app_pid = supervisor.states()[0].processes[0].pid
        assert supervisor.kill("mesh/web-0", process="envoy") == ("envoy",)
        await eventually(lambda: supervisor.states()[0].restarts == 1, what="the kill is seen")
        await supervisor.ready(within=Limit.RECOVERED.value)
        assert supervisor.states()[0].processes[0].pid == app_pid
    assert seen[:4] == [False, True, False, True]


async def test_a_gateway_is_an_envoy_alone(dirs: Dirs) -> None:
    gateway = workload("gateway", Container("istio-proxy", "auto"), proxy=Proxy.GATEWAY)
    async with supervised(*plans(dirs, gateway, envoy=True)) as supervisor:
        await supervisor.ready(within=Limit.STARTED.value)
        assert supervisor.kill("mesh/gateway-0") == ("envoy",)
        await eventually(lambda: supervisor.states()[0].restarts == 1, what="the kill is seen")
        await supervisor.ready(within=Limit.RECOVERED.value)


async def test_a_killed_app_is_started_again_and_counted(dirs: Dirs) -> None:
    async with supervised(*plans(dirs, app(dirs))) as supervisor:
        await supervisor.ready(within=Limit.STARTED.value)
        supervisor.kill("mesh/web-0")
        state = await eventually(lambda: restarted(supervisor), what="the kill is seen")
        assert state.phase is Phase.BACKOFF
        assert state.reason == "app: killed by SIGKILL; starts again after 0.2 s"
        assert not supervisor.placements()["mesh/web-0"].ready
        await supervisor.ready(within=Limit.RECOVERED.value)
        assert supervisor.states()[0].restarts == 1


async def test_an_app_that_feels_ill_is_not_ready_until_it_is_well_and_is_not_restarted(dirs: Dirs) -> None:
    async with supervised(*plans(dirs, app(dirs))) as supervisor:
        await supervisor.ready(within=Limit.STARTED.value)
        (dirs.state / "ill").touch()

        def ill() -> bool:
            state = supervisor.states()[0]
            return (state.phase, state.reason) == (Phase.NOT_READY, "app: HTTP status 503")

        await eventually(ill, what="it is not ready")
        (dirs.state / "ill").unlink()
        await supervisor.ready(within=Limit.SOON.value)
        assert supervisor.states()[0].restarts == 0


async def test_an_app_that_fails_its_liveness_probe_is_restarted(dirs: Dirs) -> None:
    liveness = Probe(Asks.HTTP, port=80, period=0.1, failure_threshold=2)
    startup = Probe(Asks.HTTP, port=80, failure_threshold=60)  # however slow this machine is
    async with supervised(*plans(dirs, app(dirs, startup=startup, liveness=liveness))) as supervisor:
        await supervisor.ready(within=Limit.STARTED.value)
        (dirs.state / "ill").touch()
        state = await eventually(lambda: restarted(supervisor), what="it is restarted")
        assert "liveness probe failed: HTTP status 503" in state.reason
        (dirs.state / "ill").unlink()
        await supervisor.ready(within=Limit.RECOVERED.value)


async def test_an_app_that_does_not_start_in_time_is_restarted_and_the_wait_says_why(dirs: Dirs) -> None:
    (dirs.state / "ill").touch()
    startup = Probe(Asks.HTTP, port=80, period=0.1, failure_threshold=1)
    async with supervised(*plans(dirs, app(dirs, startup=startup))) as supervisor:
        state = await eventually(lambda: restarted(supervisor), what="it is restarted")
        assert "startup probe failed: " in state.reason  # HTTP status 503, or it does not even listen yet
        with pytest.raises(MeshError, match=r"not ready after 0.05 s:\n  mesh/web-0: \w+: app: "):
            await supervisor.ready(within=0.05)


async def test_the_proxies_know_before_an_app_is_asked_to_end(dirs: Dirs) -> None:
    pods = plans(dirs, app(dirs, replicas=2))
    seen: list[tuple[bool, ...]] = []
    asked: list[str] = []

    def tell(supervisor: Supervisor) -> None:
        ready = {key: placement.ready for key, placement in supervisor.placements().items()}
        seen.append(tuple(ready.values()))
        asked.extend(pod.key for pod in pods if not ready[pod.key] and "asked" in written(pod) and len(seen) == first)

    first = 0
    async with supervised(*pods, on_change=tell) as supervisor:
        await supervisor.ready(within=Limit.STARTED.value)
        await eventually(lambda: seen and seen[-1] == (True, True), what="the proxies know")
        before, first = len(seen), len(seen) + 1
        await supervisor.restart("mesh/web")
        assert asked == []
        assert seen[before:] == [(False, True), (True, True), (True, False), (True, True)]
    assert [written(pod).count("up") for pod in pods] == [2, 2]


async def test_a_proxy_that_does_not_answer_does_not_hold_a_restart_for_ever(
    dirs: Dirs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("localmesh.runtime.supervisor._PUBLISH_WITHIN", 0.05)
    supervisor = Supervisor(bootstrap=bootstrap, on_change=asyncio.Event().wait, drain=0)  # type: ignore[arg-type]
    await supervisor.reconcile(plans(dirs, app(dirs)))
    await supervisor.ready(within=Limit.STARTED.value)
    await supervisor.restart("mesh/web")
    assert supervisor.states()[0].ready
    await supervisor.stop()


async def test_a_change_of_replicas_starts_and_ends_only_what_differs(dirs: Dirs) -> None:
    async with supervised(*plans(dirs, app(dirs, replicas=1))) as supervisor:
        await supervisor.ready(within=Limit.STARTED.value)
        pid = supervisor.states()[0].processes[0].pid
        three = plans(dirs, app(dirs, replicas=3))
        await supervisor.reconcile(three)
        await supervisor.ready(within=Limit.STARTED.value)
        assert len(supervisor.states()) == 3
        await supervisor.reconcile(three[:1])
        assert [state.key for state in supervisor.states()] == ["mesh/web-0"]
        assert supervisor.states()[0].processes[0].pid == pid
        assert "asked to end" in written(three[2])


async def test_a_changed_variable_reaches_each_pod_by_a_rolling_restart(dirs: Dirs) -> None:
    async with supervised(*plans(dirs, app(dirs, replicas=2))) as supervisor:
        await supervisor.ready(within=Limit.STARTED.value)
        blue = plans(dirs, app(dirs, replicas=2, colour="blue"))
        await supervisor.reconcile(blue)
        assert all(state.ready for state in supervisor.states())
        assert [written(pod).splitlines()[-1] for pod in blue] == ["up web-0 blue", "up web-1 blue"]


async def test_a_new_version_that_does_not_start_stops_the_restart_at_the_first_pod(
    dirs: Dirs, monkeypatch: pytest.MonkeyPatch
) -> None:
    pods = tuple(replace(each, grace=0.0) for each in plans(dirs, app(dirs, replicas=2)))
    async with supervised(*pods) as supervisor:
        await supervisor.ready(within=Limit.STARTED.value)
        broken = [running(pod, "false") for pod in pods]
        with monkeypatch.context() as hasty, pytest.raises(MeshError, match=r"mesh/web-0: \w+: app: exit status 1"):
            hasty.setattr("localmesh.runtime.supervisor._READY_WITHIN", 0.5)
            await supervisor.reconcile(broken)
        assert [state.ready for state in supervisor.states()] == [False, True]
        await supervisor.reconcile(pods)
        assert all(state.ready for state in supervisor.states())


async def test_a_restart_that_fails_does_not_leave_another_one_half_done(
    dirs: Dirs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("localmesh.runtime.supervisor._READY_WITHIN", 0.5)
    first, second = (replace(app(dirs), name=name) for name in ("first", "second"))
    pods = tuple(replace(each, grace=0.0) for each in plans(dirs, first, second))
    async with supervised(*pods) as supervisor:
        await supervisor.ready(within=Limit.STARTED.value)
        with pytest.raises(MeshError, match=r"mesh/first-0: \w+: app: exit status 1"):
            await supervisor.reconcile([running(pods[0], "false"), running(pods[1], "sleep", "600")])
        assert supervisor.plans()[1].apps[0].launch.command == ("sleep", "600")
        assert supervisor.states()[1].processes[0].pid


async def test_a_pod_that_could_not_be_started_is_started_by_the_next_change(dirs: Dirs) -> None:
    (pod,) = plans(dirs, app(dirs))
    async with supervised(pod) as supervisor:
        await supervisor.ready(within=Limit.STARTED.value)
        outside = Folder(Volume("v", files={"../x": b""}), pod.dirs.run / "v")
        with pytest.raises(MeshError, match="outside of itself"):
            await supervisor.reconcile([replace(pod, folders=(outside,))])
        assert supervisor.states()[0].phase is Phase.STOPPED
        await supervisor.reconcile([pod])
        await supervisor.ready(within=Limit.STARTED.value)


async def test_the_mesh_may_stop_while_a_restart_waits(dirs: Dirs) -> None:
    async with supervised(*plans(dirs, app(dirs))) as supervisor:
        await supervisor.ready(within=Limit.STARTED.value)
        (dirs.state / "ill").touch()
        restart = asyncio.create_task(supervisor.restart("mesh/web"))
        await eventually(lambda: supervisor.states()[0].reason == "app: HTTP status 503", what="the restart waits")
        await supervisor.stop()
        with pytest.raises(MeshError, match="the mesh is stopping"):
            await restart


async def test_a_restart_goes_on_when_its_caller_goes_away(dirs: Dirs) -> None:
    (pod,) = plans(dirs, app(dirs))
    async with supervised(pod) as supervisor:
        await supervisor.ready(within=Limit.STARTED.value)
        restart = asyncio.create_task(supervisor.restart("mesh/web"))
        await eventually(lambda: not supervisor.states()[0].ready, what="the restart has begun")
        restart.cancel()
        await eventually(lambda: written(pod).count("up") == 2, what="the pod is started again")
        await supervisor.ready(within=Limit.STARTED.value)


async def test_a_signal_goes_to_the_process_that_was_named(dirs: Dirs) -> None:
    (pod,) = plans(dirs, app(dirs))
    async with supervised(pod) as supervisor:
        await supervisor.ready(within=Limit.STARTED.value)
        assert supervisor.kill("mesh/web-0", signal.SIGTERM, "app") == ("app",)
        await eventually(lambda: "asked to end" in written(pod), what="it got the signal")


async def test_an_unknown_name_is_answered_with_the_nearest(dirs: Dirs) -> None:
    async with supervised(*plans(dirs, app(dirs))) as supervisor:
        with pytest.raises(MeshError, match=r"no pod mesh/web-00\n  try: did you mean mesh/web-0\?"):
            supervisor.kill("mesh/web-00")
        with pytest.raises(MeshError, match=r"no workload mesh/wep\n  try: did you mean mesh/web\?"):
            await supervisor.restart("mesh/wep")
        with pytest.raises(MeshError, match="mesh/web-0: database does not run now"):
            supervisor.kill("mesh/web-0", process="database")


async def test_changes_of_states_can_be_waited_for(dirs: Dirs) -> None:
    async with supervised(*plans(dirs, app(dirs))) as supervisor:
        now = supervisor.states()
        while not all(state.ready for state in now):
            now = await asyncio.wait_for(supervisor.changes(now), Limit.STARTED.value)
        assert now == supervisor.states()


def test_an_earlier_runs_folder_is_not_there_any_more(dirs: Dirs) -> None:
    assert list(dirs.run.iterdir()) == [dirs.processes]
