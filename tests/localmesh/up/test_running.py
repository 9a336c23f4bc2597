"""A small mesh, really running: two pods and a gateway, changed in every way that a person can."""

import asyncio
import contextlib
import json
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from localmesh.control.figures import asked
from localmesh.control.messages import encode_status
from localmesh.errors import MeshError, Problems
from localmesh.observe.edges import OUTSIDE, edges
from localmesh.observe.readings import Asked, Reading, read
from localmesh.runtime import dirs, supervisor
from localmesh.runtime.wallet import Wallet
from localmesh.up.beginning import running
from localmesh.up.running import RunningMesh
from tests.kit import Limit, eventually
from tests.localmesh.loopback import OWN
from tests.localmesh.up.small import GATEWAY, Caller, caller, copied, save

ABORT = "fault: {abort: {percentage: {value: 100}, grpcStatus: RESOURCE_EXHAUSTED}}"
# More than Envoy's limit for a compiled regular expression, which the API does not know.
TOO_LARGE = '    - match: [{uri: {regex: "(a{1000}){20}(b{1000}){20}(c{1000}){20}"}}]'


@dataclass(frozen=True, slots=True)
class Small:
    """The mesh, the files that it runs, and somebody who calls it."""

    mesh: RunningMesh
    deploy: Path
    caller: Caller

    @property
    def routes(self) -> Path:
        """The file with the VirtualService."""
        return self.deploy / "routes.yaml"


@pytest.fixture(scope="module")
async def small(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Small]:
    folder = tmp_path_factory.mktemp("small")
    deploy = copied(folder)
    ending = asyncio.Event()
    async with (
        running((deploy,), dirs.of(folder / "state"), ending, time.time()) as mesh,
        caller() as calling,
    ):
        await mesh.started()
        yield Small(mesh, deploy, calling)


@pytest.fixture(autouse=True)
async def as_before(small: Small) -> AsyncIterator[None]:
    """Whatever a test writes is taken back, and was taken back when the next begins."""
    before = small.routes.read_text()
    yield
    if small.routes.read_text() != before:
        save(small.routes, before)
    await small.mesh.apply()


async def test_a_call_is_answered_once_the_mesh_has_started(small: Small) -> None:
    answer = await small.caller.call()
    assert answer["pod"] in {"echo-0", "echo-1"}
    status = small.mesh.status()
    assert {pod.name for pod in status.pods if pod.ready} == {"echo-0", "echo-1", "gateway-0"}
    await eventually(lambda: all(pod.acked for pod in small.mesh.status().pods), what="every proxy obeys")
    assert all(pod.start_seconds > 0 for pod in status.pods)
    assert "compile" in {phase.name for phase in status.phases}


async def test_a_saved_file_is_in_force_without_any_command(small: Small) -> None:
    text = small.routes.read_text()
    save(small.routes, text.replace("    - route:", f"    - {ABORT}\n      route:"))
    await eventually(lambda: _answers(small, "RESOURCE_EXHAUSTED"), what="the fault is in force")
    save(small.routes, text)
    await eventually(lambda: _answers(small, "OK"), what="the fault is gone")


async def test_broken_yaml_changes_nothing_and_is_shown_until_it_is_mended(small: Small) -> None:
    text = small.routes.read_text()
    save(small.routes, text.replace("hosts:", "hots:"))
    await eventually(lambda: small.mesh.status().problems, what="the problem is shown")
    (problem,) = small.mesh.status().problems[:1]
    assert (problem.where.file, "hots" in str(problem)) == (str(small.routes), True)
    assert await small.caller.code() == "OK"
    with pytest.raises(Problems):
        await small.mesh.apply()
    save(small.routes, text)
    await eventually(lambda: not small.mesh.status().problems, what="the problem is gone")


async def test_an_address_that_another_program_has_is_told_with_its_place_and_nothing_changes(small: Small) -> None:
    local = small.deploy / "local.yaml"
    text = local.read_text()
    with socket.create_server((OWN, 18047)):
        save(local, text.replace(GATEWAY, f"{OWN}:18047"))
        with pytest.raises(Problems, match=f"{OWN}:18047 cannot be opened") as found:
            await small.mesh.apply()
    (problem,) = found.value.problems
    assert (problem.where.file, problem.where.path) == (str(local), "expose[0].address")
    assert small.mesh.status().problems == (problem,)
    assert await small.caller.code() == "OK"
    save(local, text)
    await small.mesh.apply()


async def test_a_gateway_opens_another_address_and_comes_back(small: Small) -> None:
    local = small.deploy / "local.yaml"
    text = local.read_text()
    callers = dirs.of(small.deploy.parent / "state").callers
    assert json.loads(callers.read_text())["gateways"] == [GATEWAY]
    save(local, text.replace(GATEWAY, f"{OWN}:18047"))
    await small.mesh.apply()
    assert json.loads(callers.read_text())["gateways"] == [f"{OWN}:18047"]
    async with caller(f"{OWN}:18047") as elsewhere:
        await eventually(lambda: _says(elsewhere, "OK"), what="the gateway answers at its other address")
    save(local, text)
    await small.mesh.apply()
    await eventually(lambda: _answers(small, "OK"), what="the gateway is back")


async def test_a_missing_program_is_shown_in_the_status_until_it_is_there(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = small.deploy / "local.yaml"
    text = local.read_text()
    monkeypatch.setenv("NATS_BIN", "/nonexistent")
    save(local, text.replace("images:", 'images:\n  nats: {command: ["${nats}"]}'))
    with pytest.raises(MeshError, match="nats is not installed"):
        await small.mesh.apply()
    assert "nats is not installed" in str(small.mesh.status().problems[0])
    save(local, text)
    await small.mesh.apply()
    assert small.mesh.status().problems == ()


async def test_a_change_goes_on_to_its_end_when_who_asked_for_it_goes_away(small: Small) -> None:
    asking = asyncio.create_task(small.mesh.scale("echo", 3))
    await asyncio.sleep(0)  # it has begun
    asking.cancel()
    await eventually(lambda: _ready(small, "echo-2"), within=Limit.STARTED, what="the third pod is ready")
    await small.mesh.scale("echo", 2)


async def test_a_fault_of_ours_changes_nothing_is_shown_and_ends_no_watch(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError

    text = small.routes.read_text()
    with monkeypatch.context() as broken:
        broken.setattr("localmesh.up.stages.capture", fails)
        save(small.routes, text.replace("    - route:", f"    - {ABORT}\n      route:"))
        await eventually(lambda: small.mesh.status().problems, what="the fault is shown")
        assert "ZeroDivisionError" in str(small.mesh.status().problems[0])
        assert await small.caller.code() == "OK"
    save(small.routes, text + "# again\n")
    await eventually(lambda: not small.mesh.status().problems, what="the next save is read")


async def test_what_envoy_refuses_is_rolled_back_and_told_with_its_place_in_the_yaml(small: Small) -> None:
    text = small.routes.read_text()
    save(small.routes, text.replace("    - route:", f"{TOO_LARGE}\n      route:"))
    with pytest.raises(Problems) as refusal:
        await small.mesh.apply()
    (problem,) = refusal.value.problems
    assert problem.where.file == str(small.routes)
    assert "Envoy refuses" in problem.what
    assert await small.caller.code() == "OK"
    save(small.routes, text)
    await small.mesh.apply()
    await eventually(lambda: all(pod.acked for pod in small.mesh.status().pods), what="every proxy obeys")


async def test_scaling_adds_pods_that_take_calls_and_takes_them_away_without_losing_one(small: Small) -> None:
    await small.mesh.scale("echo", 3)
    await eventually(lambda: _answered_by(small, "echo-2"), what="the third pod takes calls")
    failures = await _calls_while(small, small.mesh.scale("echo", 2))
    assert failures == []
    assert [pod.name for pod in small.mesh.status().pods if pod.workload == "small/echo"] == ["echo-0", "echo-1"]


@pytest.mark.parametrize(
    "change",
    [lambda small: small.mesh.scale("echo", 2), lambda small: small.mesh.restart("echo")],
    ids=["scaling", "restart"],
)
async def test_a_save_hurries_a_change_that_waits_for_its_pods(
    small: Small, monkeypatch: pytest.MonkeyPatch, change: Callable[[Small], Coroutine[None, None, None]]
) -> None:
    waits = asyncio.Event()

    async def until_hurried(_: object, *, hurry: asyncio.Event, **__: object) -> None:
        waits.set()
        await hurry.wait()

    with monkeypatch.context() as slow:
        slow.setattr(supervisor.Supervisor, "ready", until_hurried)
        changing = asyncio.create_task(change(small))
        await waits.wait()
        save(small.routes, small.routes.read_text() + "# again\n")
        async with asyncio.timeout(Limit.STARTED.value):
            await changing
    await eventually(lambda: _all_ready(small), within=Limit.RECOVERED, what="every pod is ready")


async def test_a_refusal_is_told_also_if_pods_come_and_go_meanwhile(small: Small) -> None:
    async def tell() -> None:
        while True:
            with contextlib.suppress(MeshError):
                await small.mesh._in_force.tell()
            await asyncio.sleep(0.001)

    text = small.routes.read_text()
    telling = asyncio.create_task(tell())
    try:
        save(small.routes, text.replace("    - route:", f"{TOO_LARGE}\n      route:"))
        with pytest.raises(Problems, match="Envoy refuses"):
            await small.mesh.apply()
    finally:
        telling.cancel()
    assert await small.caller.code() == "OK"


async def test_pods_that_do_not_become_ready_after_a_change_are_put_back(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is put back has its usual time to become ready; it is what sleeps that is given up soon."""
    ready = supervisor.Supervisor.ready

    async def soon_given_up(one: supervisor.Supervisor, *, within: float, **how: Any) -> None:
        asleep = any(app.launch.command[0] == "sleep" for plan in one.plans() for app in plan.apps)
        await ready(one, within=0.5 if asleep else within, **how)

    monkeypatch.setattr(supervisor.Supervisor, "ready", soon_given_up)
    local = small.deploy / "local.yaml"
    text = local.read_text()
    save(local, text.replace('["${python}", -m', "[sleep, inf"))
    with pytest.raises(MeshError, match=r"not ready after(.|\n)*Everything was put back as it was"):
        await small.mesh.apply()
    assert {pod.name for pod in small.mesh.status().pods if pod.ready} == {"echo-0", "echo-1", "gateway-0"}
    assert "put back" in str(small.mesh.status().problems[0])
    assert await small.caller.code() == "OK"
    save(local, text)
    await small.mesh.apply()


@pytest.mark.parametrize("how", ["a save", "a save and an apply"])
async def test_what_is_saved_next_does_not_wait_for_pods_that_do_not_become_ready(small: Small, how: str) -> None:
    """Nobody would wait so long: the pods of the first save have an hour."""
    local = small.deploy / "local.yaml"
    text = local.read_text()
    with pytest.MonkeyPatch.context() as patient:
        patient.setattr(supervisor, "_READY_WITHIN", 3600)
        patient.setattr(supervisor, "_HURRIED_WITHIN", 0.1)
        save(local, text.replace('["${python}", -m', "[sleep, inf"))
        await eventually(lambda: _waits(small), what="a pod of the first save is waited for")
        patient.setattr(supervisor, "_READY_WITHIN", Limit.STARTED.value)
        save(local, text)
        if how == "a save and an apply":
            await small.mesh.apply()
        await eventually(lambda: _all_ready(small), within=Limit.RECOVERED, what="the second save is in force")
    assert await small.caller.code() == "OK"


async def test_the_arrows_of_the_mesh_count_its_calls_and_show_where_mtls_holds(small: Small) -> None:
    proxies = asked(encode_status(small.mesh.status()))
    before = await eventually(lambda: _settled(proxies), what="the latencies of the calls so far")
    for _ in range(5):
        await small.caller.call()
    after = await eventually(lambda: _settled(proxies), what="the latencies of five calls more")
    found = {edge.source_workload: edge for edge in edges(before, after, proxies)}
    outside, inside = found[OUTSIDE], found["small/gateway"]
    assert (outside.workloads, outside.calls.requests, outside.mtls) == (("small/gateway",), 5, None)
    assert (inside.service, inside.workloads) == ("small/echo", ("small/echo",))
    assert inside.mtls is True
    assert (inside.calls.requests, inside.calls.errors, inside.calls.active) == (5, 0, 0)
    assert sum(inside.calls.latency.counts) == sum(target.requests for target in inside.targets) == 5
    assert {target.pod for target in inside.targets} == {"small/echo-0", "small/echo-1"}


async def test_a_rolling_restart_loses_no_call(small: Small) -> None:
    assert await _calls_while(small, small.mesh.restart("small/echo")) == []


async def test_a_killed_program_is_started_again(small: Small) -> None:
    before = _restarts(small, "echo-0")
    small.mesh.kill("echo-0", 9, "")
    await eventually(lambda: _back(small, "echo-0", before), within=Limit.RECOVERED, what="echo-0 is back")
    await eventually(lambda: _answered_by(small, "echo-0"), what="it takes calls")


async def test_a_killed_proxy_comes_back_with_what_is_in_force(small: Small) -> None:
    before = _restarts(small, "gateway-0")
    small.mesh.kill("gateway-0", 9, "envoy")
    await eventually(lambda: _back(small, "gateway-0", before), within=Limit.RECOVERED, what="the gateway is back")
    await eventually(lambda: _answers(small, "OK"), within=Limit.RECOVERED, what="the gateway answers")


async def test_an_unknown_name_is_an_error_with_the_nearest(small: Small) -> None:
    with pytest.raises(MeshError, match="did you mean echo"):
        await small.mesh.scale("ecko", 1)
    with pytest.raises(MeshError, match="there is no pod"):
        small.mesh.kill("echo-7", 9, "")


async def test_the_configuration_is_readable_and_holds_no_key(small: Small) -> None:
    text = small.mesh.config("echo-0")
    assert '"listeners"' in text
    assert "PRIVATE KEY" not in text


async def test_new_certificates_reach_the_proxies_and_no_call_fails(small: Small) -> None:
    address = next(pod.address for pod in small.mesh.status().pods if pod.name == "echo-0")
    before = await asyncio.to_thread(_certificate, address)
    proxies = small.mesh._in_force.proxies
    proxies.wallet = Wallet(proxies.wallet.authority)  # in which every certificate is a new one
    assert await _calls_while(small, small.mesh.apply()) == []
    await eventually(lambda: _certificate_other_than(address, before), what="another certificate is shown")
    assert await small.caller.code() == "OK"


def _certificate(address: str) -> bytes:
    """The certificate that the sidecar at this address shows to a client of the mesh."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["istio"])
    with socket.create_connection((address, 7000)) as raw, context.wrap_socket(raw) as connection:
        return connection.getpeercert(binary_form=True) or b""


async def _certificate_other_than(address: str, before: bytes) -> bool:
    return await asyncio.to_thread(_certificate, address) != before


async def _answers(small: Small, code: str) -> bool:
    return await small.caller.code() == code


async def _waits(small: Small) -> bool:
    return any(not pod.ready and pod.state == "Starting" for pod in small.mesh.status().pods)


async def _all_ready(small: Small) -> bool:
    status = small.mesh.status()
    return not status.problems and all(pod.ready for pod in status.pods)


def _restarts(small: Small, pod: str) -> int:
    return next(each.restarts for each in small.mesh.status().pods if each.name == pod)


async def _back(small: Small, pod: str, restarts: int) -> bool:
    return await _ready(small, pod) and _restarts(small, pod) > restarts


async def _ready(small: Small, pod: str) -> bool:
    return any(each.name == pod and each.ready for each in small.mesh.status().pods)


async def _settled(proxies: list[Asked]) -> Reading:
    """What the proxies have counted; histograms, which are told as of Envoy's last flush, must have all of it."""
    reading = await read(proxies)
    gateway = next(each for each in reading.proxies if each.pod == "small/gateway-0")
    told = (gateway.entry, *gateway.outbound.values())
    assert all(sum(each.latency.counts) == each.requests for each in told)
    return reading


async def _says(somebody: Caller, code: str) -> bool:
    return await somebody.code() == code


async def _answered_by(small: Small, pod: str) -> bool:
    answer = await small.caller.call()
    return bool(answer["pod"] == pod)


async def _calls_while(small: Small, work: object) -> list[str]:
    """The statuses other than OK of calls that are made for as long as `work` takes."""
    assert asyncio.iscoroutine(work)
    task, failures = asyncio.create_task(work), []
    while not task.done():
        if (code := await small.caller.code()) != "OK":
            failures.append(code)
        await asyncio.sleep(0.005)
    await task
    return failures
