"""Where VirtualServices and DestinationRules send calls."""

from collections import Counter

import pytest

from tests.mesh.backend import Mesh
from tests.mesh.conftest import Lab
from tests.mesh.lab.policies import destination_rule, to, virtual_service


async def versions(lab: Lab, calls: int, headers: dict[str, str] | None = None) -> Counter[str]:
    """Which version answered how often."""
    return Counter([(await lab.call({}, headers=headers))["version"] for _ in range(calls)])


async def both_versions_answer(lab: Lab) -> bool:
    """By calls that may go to any pod. v2 has one of three: the odds of 60 calls without it are one in ten billion."""
    return set(await versions(lab, 60)) == {"v1", "v2"}


@pytest.mark.parametrize(("v1", "v2"), [(100, 0), (0, 100)])
async def test_all_the_weight_on_one_subset_sends_every_call_there(mesh: Mesh, lab: Lab, v1: int, v2: int) -> None:
    with mesh.policy(virtual_service({"route": [to("v1", v1), to("v2", v2)]})):
        assert set(await versions(lab, 20)) == {"v1" if v1 else "v2"}


async def test_a_split_is_counted_as_the_weights_say(mesh: Mesh, lab: Lab) -> None:
    """200 calls at 70:30. Outside 100..180 the odds are below one in a million."""
    with mesh.policy(virtual_service({"route": [to("v1", 70), to("v2", 30)]})):
        assert 100 <= (await versions(lab, 200))["v1"] <= 180


async def test_a_header_chooses_the_subset(mesh: Mesh, lab: Lab) -> None:
    canary = {"match": [{"headers": {"x-lab-canary": {"exact": "yes"}}}], "route": [to("v2")]}
    with mesh.policy(virtual_service(canary, {"route": [to("v1")]})):
        assert set(await versions(lab, 10, headers={"x-lab-canary": "yes"})) == {"v2"}
        assert set(await versions(lab, 10)) == {"v1"}


async def test_calls_of_one_hash_go_to_one_pod_and_all_hashes_use_all_pods(mesh: Mesh, lab: Lab) -> None:
    """60 hashes: the odds that one of three pods is left out are below one in ten billion."""
    rule = destination_rule({"loadBalancer": {"consistentHash": {"httpHeaderName": "x-lab-room"}}})
    with mesh.policy(rule):
        pods: dict[str, set[str]] = {}
        for room in map(str, range(60)):
            pods[room] = {(await lab.call({}, headers={"x-lab-room": room}))["pod"] for _ in range(2)}
        assert all(len(answered) == 1 for answered in pods.values())
        assert len(set.union(*pods.values())) == 3


async def test_the_server_sees_the_name_that_the_client_dialed(mesh: Mesh, lab: Lab) -> None:
    """No address of this machine shows up as authority, and a rewrite of it arrives."""
    with mesh.policy(
        virtual_service({"rewrite": {"authority": "other.example"}, "headers": {"request": {"set": {"x-a": "b"}}}})
    ):
        assert (await lab.call({}))["headers"]["x-a"] == "b"


async def test_headers_are_added_and_removed_on_the_way(mesh: Mesh, lab: Lab) -> None:
    request = {"set": {"x-lab-set": "1"}, "remove": ["x-lab-gone"]}
    with mesh.policy(virtual_service({"headers": {"request": request, "response": {"add": {"x-back": "2"}}}})):
        answer = await lab.call({}, headers={"x-lab-gone": "here"})
        assert answer["headers"]["x-lab-set"] == "1"
        assert "x-lab-gone" not in answer["headers"]
        assert answer["received"]["x-back"] == "2"
