"""The pods as kubectl tells them, and how one is killed."""

import json
from typing import Any

import pytest

from deploy.kind import pods
from deploy.kind.commands import Failed
from deploy.kind.kubectl import Kubectl
from tests.deploy.kind.conftest import World


def item(**status: Any) -> dict[str, Any]:
    """A pod of user-v1 with a native sidecar, as `kubectl get -o json` has it."""

    def container(name: str, number: int, restarts: int) -> dict[str, Any]:
        state: dict[str, Any] = {"running": {}}
        return {"name": name, "containerID": f"containerd://c{number}", "restartCount": restarts, "state": state}

    return {
        "metadata": {"namespace": "mesh", "name": "user-v1-abc-x1", "labels": {"app": "user"}},
        "spec": {
            "nodeName": "test-worker",
            "initContainers": [{"name": "istio-validation"}, {"name": "istio-proxy", "restartPolicy": "Always"}],
        },
        "status": {
            "podIP": "10.244.1.7",
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
            "initContainerStatuses": [container("istio-validation", 1, 0), container("istio-proxy", 2, 1)],
            "containerStatuses": [container("user", 3, 4)],
        }
        | status,
    }


def test_a_native_sidecar_is_a_container_and_what_only_prepares_is_not() -> None:
    pod = pods.pod(item())
    assert [(each.name, each.id, each.restarts) for each in pod.containers] == [
        ("istio-proxy", "c2", 1),
        ("user", "c3", 4),
    ]
    assert pod.app is not None
    assert (pod.app.name, pod.address, pod.state, pod.ready) == ("user", "10.244.1.7", "Ready", True)


def test_a_pod_that_is_going_is_not_ready() -> None:
    going = item()
    going["metadata"]["deletionTimestamp"] = "2026-11-22T20:00:00Z"
    assert (pods.pod(going).state, pods.pod(going).ready) == ("Terminating", False)


def test_a_pod_that_has_not_begun_has_no_containers() -> None:
    pending = {"metadata": {"namespace": "mesh", "name": "x"}, "spec": {}, "status": {"phase": "Pending"}}
    assert pods.pod(pending).app is None
    assert pods.pod(pending).state == "Pending"


def test_kill_is_of_the_containers_process_on_its_node(world: World) -> None:
    world.set(answers={"docker exec test-worker crictl": ["4711\n"]}, nodes={})
    pods.kill(pods.pod(item()), "user")
    inspect, kill = world.calls("docker exec")
    assert inspect.endswith("{{.info.pid}} c3")
    assert kill == "docker exec test-worker kill -KILL 4711"


def test_nothing_is_killed_without_a_process(world: World) -> None:
    world.set(answers={"docker exec test-worker crictl": ["0\n"]})
    with pytest.raises(Failed, match="no process"):
        pods.kill(pods.pod(item()), "user")
    assert len(world.calls("docker exec")) == 1


def test_pods_are_listed_by_namespace(world: World) -> None:
    world.set(answers={"kubectl get pods -n mesh": [json.dumps({"items": [item()]})]})
    assert [pod.name for pod in pods.pods(Kubectl("kind-test"), "mesh", "lab")] == ["user-v1-abc-x1"]
