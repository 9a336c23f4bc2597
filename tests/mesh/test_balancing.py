"""Which pod of a service a call goes to, and which pods are left alone: DestinationRules through real sidecars."""

import asyncio
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.kit import Limit, eventually
from tests.mesh.backend import Mesh
from tests.mesh.conftest import Lab
from tests.mesh.documents import identity, split
from tests.mesh.lab.policies import destination_rule, to, virtual_service
from tests.mesh.logs import proxied

LAB = Path(__file__).parent / "lab"
PODS = 3
NO_RETRY = virtual_service({"retries": {"attempts": 0}})


async def pods(lab: Lab, calls: int, request: dict[str, Any] | None = None, at_once: int = 1) -> Counter[str]:
    """Which pod answered how often, `at_once` calls at a time."""
    turns = asyncio.Semaphore(at_once)

    async def one() -> str:
        async with turns:
            return str((await lab.call(request or {}))["pod"])

    return Counter(await asyncio.gather(*(one() for _ in range(calls))))


async def codes(lab: Lab, calls: int, request: dict[str, Any]) -> Counter[grpc.StatusCode]:
    """How so many calls at once end."""

    async def one() -> grpc.StatusCode:
        try:
            await lab.call(request)
        except grpc.aio.AioRpcError as error:
            return error.code()
        return grpc.StatusCode.OK

    return Counter(await asyncio.gather(*(one() for _ in range(calls))))


async def test_round_robin_gives_every_pod_the_same(mesh: Mesh, lab: Lab) -> None:
    with mesh.policy(destination_rule({"loadBalancer": {"simple": "ROUND_ROBIN"}})):
        counted = await pods(lab, 60)
    assert len(counted) == PODS
    assert max(counted.values()) - min(counted.values()) <= 2


async def test_random_uses_every_pod(mesh: Mesh, lab: Lab) -> None:
    """60 calls: the odds that one of three is left out are below one in ten billion."""
    with mesh.policy(destination_rule({"loadBalancer": {"simple": "RANDOM"}})):
        assert len(await pods(lab, 60)) == PODS


async def test_least_request_spares_a_pod_that_is_busy(mesh: Mesh, lab: Lab) -> None:
    """While v2 has a call, it gets a ninth of 120, not its third. 36 or more are chance in one run of 10 million."""
    key = uuid.uuid4().hex
    peek = {"match": [{"uri": {"exact": "/lab.Echo/Peek"}}], "route": [to("v2")]}

    async def busy() -> int:
        return int((await lab.call({"key": key, "peek": True}, method="Peek"))["calls"])

    async def make_busy() -> bool:
        held.append(asyncio.create_task(lab.call({"key": key, "delay": 60, "where": "v2"}, deadline=60)))
        await asyncio.wait([held[-1]], timeout=0.1)
        return await busy() > 0

    held: list[asyncio.Task[Any]] = []
    with mesh.policy(destination_rule({"loadBalancer": {"simple": "LEAST_REQUEST"}}), virtual_service(peek, {})):
        await eventually(make_busy, what="v2 has a call")
        counted = await pods(lab, 120)
        for call in held:
            call.cancel()
        await asyncio.wait(held)
    assert sum(count for pod, count in counted.items() if "v2" in pod) < 36


async def test_a_subset_balances_by_its_own_policy(mesh: Mesh, lab: Lab) -> None:
    """All of echo by source address, so to one pod; the subset v1 in turn."""
    rule = destination_rule({"loadBalancer": {"consistentHash": {"useSourceIp": True}}})
    in_turn = '"trafficPolicy": {"loadBalancer": {"simple": "ROUND_ROBIN"}}'
    with mesh.policy(rule.replace('"name": "v1",', f'"name": "v1", {in_turn},')):
        assert len(await pods(lab, 12)) == 1
        with mesh.policy(virtual_service({"route": [to("v1")]})):
            assert sorted((await pods(lab, 12)).values()) == [6, 6]


async def test_a_warm_up_keeps_no_call_from_being_answered(mesh: Mesh, lab: Lab) -> None:
    warm = {"simple": "ROUND_ROBIN", "warmup": {"duration": "30s", "minimumPercent": 10, "aggression": 1}}
    with mesh.policy(destination_rule({"loadBalancer": warm})):
        assert sum((await pods(lab, 30)).values()) == 30


async def test_a_cookie_binds_its_client_to_one_pod(mesh: Mesh, lab: Lab) -> None:
    """A call without the cookie gets one; whoever sends one comes to the same pod again. 60 use every pod, surely."""
    cookie = {"httpCookie": {"name": "session", "path": "/", "ttl": "60s"}}
    with mesh.policy(destination_rule({"loadBalancer": {"consistentHash": cookie}})):
        first = await lab.call({})
        given = first["received"]["set-cookie"].partition(";")[0]
        assert given.startswith("session=")
        again = {(await lab.call({}, headers={"cookie": given}))["pod"] for _ in range(3)}
        others = {(await lab.call({}, headers={"cookie": f"session={n}"}))["pod"] for n in range(60)}
    assert again == {first["pod"]}
    assert len(others) == PODS


async def test_a_further_pod_takes_its_share_of_hashes_and_most_others_stay(mesh: Mesh, lab: Lab) -> None:
    """A fourth pod takes a quarter of the values. Of 120, about 35 move; without a consistent hash 90 would."""
    values = [str(number) for number in range(120)]

    async def homes() -> dict[str, str]:
        calls = (lab.call({}, headers={"x-lab-room": value}) for value in values)
        return {value: answer["pod"] for value, answer in zip(values, await asyncio.gather(*calls), strict=True)}

    rule = {"loadBalancer": {"consistentHash": {"httpHeaderName": "x-lab-room", "maglev": {"tableSize": 65537}}}}
    with mesh.policy(destination_rule(rule)):
        before = await homes()
        await asyncio.to_thread(mesh.scale, "lab/echo-v2", 2)
        try:
            after = await homes()
        finally:
            await asyncio.to_thread(mesh.scale, "lab/echo-v2", 1)
    moved = [value for value in values if after[value] != before[value]]
    assert len(set(after.values())) == PODS + 1
    assert len(moved) <= 70


async def test_a_failing_pod_is_ejected_and_comes_back(mesh: Mesh, lab: Lab) -> None:
    """v2 fails: after two failures nobody is sent there, until its ejection is over."""
    outliers = {"consecutive5xxErrors": 2, "interval": "0.2s", "baseEjectionTime": "1s", "maxEjectionPercent": 50}
    ill, key = {"fail": "UNAVAILABLE", "where": "v2"}, uuid.uuid4().hex

    async def spared() -> bool:
        return (await codes(lab, 12, ill | {"key": key}))[grpc.StatusCode.OK] == 12

    async def back() -> bool:
        return any("v2" in pod for pod in await pods(lab, 12))

    rule = destination_rule({"loadBalancer": {"simple": "ROUND_ROBIN"}, "outlierDetection": outliers})
    with mesh.policy(rule, NO_RETRY):
        assert (await codes(lab, 12, ill))[grpc.StatusCode.UNAVAILABLE] >= 2
        await eventually(spared, what="v2 is ejected")
        await eventually(back, within=Limit.STARTED, what="v2 is asked again")


def standing(workload: str, place: str) -> str:
    """A Deployment of the lab whose pods say that they stand there."""
    lab = split((LAB / "lab.yaml").read_text())
    found = next(text for text in lab if identity(text) == ("Deployment", "lab", workload))
    return found.replace("labels: {app: ", f"labels: {{istio-locality: {place}, app: ", 1)


@pytest.mark.local("a cluster's pods would restart for their labels")
async def test_calls_stay_in_their_own_region_until_nobody_there_answers(mesh: Mesh, lab: Lab) -> None:
    """v1 stands beside its caller and fails; then v2 is asked, in the region that the policy names, till v1 is well."""
    outliers = {"consecutive5xxErrors": 1, "interval": "0.2s", "baseEjectionTime": "1s", "maxEjectionPercent": 100}
    regions = {"localityLbSetting": {"failover": [{"from": "eu", "to": "us"}]}}
    places = (standing("caller", "eu.eu-1"), standing("echo-v1", "eu.eu-1"), standing("echo-v2", "us.us-1"))
    ill, key = {"fail": "UNAVAILABLE", "where": "v1"}, uuid.uuid4().hex

    async def answering(request: dict[str, Any]) -> set[str]:
        return {pod.rpartition("-")[0] for pod in await pods(lab, 12, request)}

    async def only_v2() -> bool:
        return await answering(ill | {"key": key}) == {"echo-v2"}

    async def only_v1() -> bool:
        return await answering({}) == {"echo-v1"}

    with mesh.policy(*places, destination_rule({"loadBalancer": regions, "outlierDetection": outliers}), NO_RETRY):
        assert await only_v1()
        await eventually(only_v2, what="v2 answers, and nobody else")
        await eventually(only_v1, within=Limit.STARTED, what="v1 is asked again, and nobody else")


@pytest.mark.parametrize(
    "pool",
    [{"http2MaxRequests": 2}, {"http2MaxRequests": 1, "http1MaxPendingRequests": 1}],
    ids=["max requests", "max pending"],
)
async def test_calls_beyond_the_connection_pool_are_turned_away(mesh: Mesh, lab: Lab, pool: dict[str, int]) -> None:
    async def some_are() -> bool:
        """As soon as enough calls are there at the same time."""
        return set(await codes(lab, 12, {"delay": 0.5})) == {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}

    with mesh.policy(destination_rule({"connectionPool": {"http": pool}}), NO_RETRY):
        await eventually(some_are, within=Limit.STARTED, what="some calls are answered, and some turned away")
        assert (await codes(lab, 1, {})) == {grpc.StatusCode.OK: 1}


async def connections(mesh: Mesh, lab: Lab, method: str, calls: int) -> int:
    """How many connections these calls to v2 came over, by the access log of its sidecar."""
    for _ in range(calls):
        await lab.call({}, method=method)

    def clients() -> list[str]:
        lines = proxied(mesh.logs("lab/echo-v2-0"), method)
        return [line["downstream_remote_address"] for line in lines] if len(lines) == calls else []

    return len(set(await eventually(clients, what=f"{calls} calls of {method} in the log")))


async def test_a_connection_ends_after_as_many_requests_as_it_may_carry(mesh: Mesh, lab: Lab) -> None:
    route = virtual_service({"route": [to("v2")]})
    once = destination_rule({"connectionPool": {"http": {"maxRequestsPerConnection": 1}}})
    with mesh.policy(route):
        assert await connections(mesh, lab, f"Look{uuid.uuid4().hex}", 4) == 1
        with mesh.policy(once):
            assert await connections(mesh, lab, f"Look{uuid.uuid4().hex}", 4) == 4
