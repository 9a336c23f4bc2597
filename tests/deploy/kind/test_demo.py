"""The guided tour's words to a kind cluster, where no mesh runs on this machine."""

import json
from pathlib import Path

import pytest

from clients.demo.cluster import ClusterMesh
from clients.demo.mesh import replica
from clients.failure import Failure
from tests.deploy.kind.conftest import World
from tests.deploy.kind.test_pods import item

MESH = ClusterMesh("kind-test")
PODS = {"kubectl get pods -n mesh": [json.dumps({"items": [item()]})]}


async def test_the_pods_are_those_of_the_bundle(world: World) -> None:
    world.set(answers=PODS)
    pod = await replica(MESH, "mesh/user-v1")
    assert (pod.name, pod.state, pod.restarts) == ("mesh/user-v1-abc-x1", "Ready", 5)
    with pytest.raises(Failure, match="no pod of mesh/chat is ready"):
        await replica(MESH, "mesh/chat")


async def test_a_pod_is_killed_by_its_node(world: World) -> None:
    world.set(answers=PODS | {"docker exec test-worker crictl": ["4711\n"]})
    await MESH.kill("mesh/user-v1-abc-x1")
    assert world.calls("docker exec")[-1] == "docker exec test-worker kill -KILL 4711"
    with pytest.raises(Failure, match="there is no pod mesh/nobody"):
        await MESH.kill("mesh/nobody")


async def test_a_saved_policy_is_applied(world: World) -> None:
    assert (await MESH.policy_file("istio/user.yaml")).is_file()
    await MESH.saved()
    (applied,) = world.calls("kubectl apply")
    assert Path(applied.split()[-1]).parts[-2:] == ("deploy", "istio")


async def test_without_a_cluster_it_is_not_reachable_and_kubectls_complaint_is_told(world: World) -> None:
    assert await MESH.reachable()
    world.set(fails={"kubectl": [9, "error: context kind-test does not exist"]})
    assert not await MESH.reachable()
    with pytest.raises(Failure, match="does not exist"):
        await MESH.pods()
