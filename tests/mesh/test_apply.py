"""Policies while the mesh runs: what is good is in force at once, what is bad changes nothing."""

import pytest

from tests.mesh.backend import Mesh, Refused
from tests.mesh.conftest import Lab
from tests.mesh.lab.policies import destination_rule, to, virtual_service

BAD = {
    "an unknown field": (virtual_service({"timeouts": "1s"}), "timeout"),
    "a host that is no service": (
        virtual_service({"route": [{"destination": {"host": "ecko.lab.svc.cluster.local"}}]}),
        "ecko.lab.svc.cluster.local",
    ),
    "a subset that no rule defines": (virtual_service({"route": [to("v3")]}), "v3"),
    "a wrong value": (virtual_service({"timeout": "soon"}), "soon"),
    "a policy of the wrong shape": (destination_rule({"loadBalancer": {"simple": "FASTEST"}}), "FASTEST"),
}


@pytest.mark.local("a cluster takes hosts and subsets that lead nowhere, and knows no files")
@pytest.mark.parametrize(("document", "word"), BAD.values(), ids=BAD.keys())
async def test_bad_policy_is_refused_with_its_place_and_changes_nothing(
    mesh: Mesh, lab: Lab, document: str, word: str
) -> None:
    with pytest.raises(Refused) as refusal, mesh.policy(document):
        pass
    told = str(refusal.value)
    assert ".yaml:" in told
    assert word in told
    assert (await lab.call({}))["pod"]


@pytest.mark.local("a cluster judges one document after the other")
async def test_all_problems_are_told_at_once(mesh: Mesh) -> None:
    with (
        pytest.raises(Refused) as refusal,
        mesh.policy(*(text for text, _ in list(BAD.values())[:1]), BAD["a policy of the wrong shape"][0]),
    ):
        pass
    assert "timeout" in str(refusal.value)
    assert "FASTEST" in str(refusal.value)


async def test_a_policy_is_in_force_when_apply_returns_and_gone_when_taken_back(mesh: Mesh, lab: Lab) -> None:
    for _ in range(5):
        with mesh.policy(virtual_service({"route": [to("v2")]})):
            assert {(await lab.call({}))["version"] for _ in range(6)} == {"v2"}
        with mesh.policy(virtual_service({"route": [to("v1")]})):
            assert {(await lab.call({}))["version"] for _ in range(6)} == {"v1"}
