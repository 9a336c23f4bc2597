"""When a workload counts as rolled out."""

import json
from typing import Any

import pytest

from deploy.kind import ready
from deploy.kind.commands import Failed
from deploy.kind.kubectl import Kubectl
from tests.deploy.kind.conftest import World

KUBECTL = Kubectl("kind-test")


def workload(kind: str = "Deployment", *, wanted: int = 2, generation: int = 3, **status: Any) -> dict[str, Any]:
    """A workload that is all it should be, but for what is said."""
    good = {"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2}
    metadata = {"name": "chat", "generation": generation}
    return {"kind": kind, "metadata": metadata, "spec": {"replicas": wanted}, "status": good | status}


def autoscaler(least: int) -> dict[str, Any]:
    """An autoscaler of chat."""
    target = {"kind": "Deployment", "name": "chat"}
    return {"kind": "HorizontalPodAutoscaler", "spec": {"scaleTargetRef": target, "minReplicas": least}}


def unfinished(world: World, *items: dict[str, Any]) -> list[str]:
    """What is told of these items."""
    world.set(answers={"kubectl get deployments": [json.dumps({"items": items})]})
    return ready.unfinished(KUBECTL, "mesh")


def test_all_replicas_new_and_ready_is_rolled_out(world: World) -> None:
    assert unfinished(world, workload()) == []


@pytest.mark.parametrize(
    "item",
    [
        workload(readyReplicas=1),
        workload(updatedReplicas=1),
        workload(replicas=3),
        workload(generation=4),
        workload(wanted=3),
    ],
    ids=["one is not ready", "one is old", "an old one is still there", "the edit was not seen", "one is missing"],
)
def test_anything_else_is_not(world: World, item: dict[str, Any]) -> None:
    assert unfinished(world, item)


def test_an_autoscalers_minimum_counts(world: World) -> None:
    assert unfinished(world, workload(), autoscaler(2)) == []
    assert unfinished(world, workload(), autoscaler(3)) == ["chat (2 of 3)"]


def test_a_statefulset_that_was_never_updated_is_rolled_out(world: World) -> None:
    fresh = workload("StatefulSet", updatedReplicas=0, currentRevision="a", updateRevision="a")
    assert unfinished(world, fresh) == []
    assert unfinished(world, workload("StatefulSet", updatedReplicas=1, currentRevision="a", updateRevision="b"))


def test_the_wait_ends_with_the_names_of_what_is_missing(world: World) -> None:
    world.set(answers={"kubectl get deployments": [json.dumps({"items": [workload(readyReplicas=0)]})]})
    with pytest.raises(Failed, match=r"not ready after 0 s: chat \(0 of 2\)"):
        ready.wait(KUBECTL, ["mesh"], world.told.append, limit=0)
    assert world.told == ["waiting for chat (0 of 2)"]
