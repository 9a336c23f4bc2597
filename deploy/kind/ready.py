"""Waiting until every workload runs as its document says, and what one would look at where it does not."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from deploy.kind.commands import Failed
from deploy.kind.kubectl import Kubectl

Tell = Callable[[str], None]

_PAUSE_SECONDS = 2.0
_EVENTS = 15
# kind has no metrics-server, and autoscalers complain of that for as long as they live.
_WARNINGS = "type=Warning,involvedObject.kind!=HorizontalPodAutoscaler"
_LOG_LINES = 12


def wait(kubectl: Kubectl, namespaces: Sequence[str], tell: Tell, *, limit: float) -> None:
    """Returns when all workloads of these namespaces are rolled out, autoscalers' minimum included. Raises Failed."""
    end = time.monotonic() + limit
    told: list[str] = []
    while True:
        missing = [each for namespace in namespaces for each in unfinished(kubectl, namespace)]
        if not missing:
            return
        if missing != told:
            tell(f"waiting for {', '.join(missing)}")
            told = missing
        if time.monotonic() > end:
            raise Failed(f"not ready after {limit:g} s: {', '.join(missing)}")
        time.sleep(_PAUSE_SECONDS)


def unfinished(kubectl: Kubectl, namespace: str) -> list[str]:
    """The workloads that are not what their documents say, with how many of their pods are ready. Raises Failed."""
    items = kubectl.items("deployments,statefulsets,horizontalpodautoscalers", "-n", namespace)
    least = {
        (item["spec"]["scaleTargetRef"]["kind"], item["spec"]["scaleTargetRef"]["name"]): item["spec"]["minReplicas"]
        for item in items
        if item["kind"] == "HorizontalPodAutoscaler"
    }
    workloads = [item for item in items if item["kind"] != "HorizontalPodAutoscaler"]
    found = []
    for item in workloads:
        name = item["metadata"]["name"]
        wanted = max(item["spec"].get("replicas", 1), least.get((item["kind"], name), 0))
        if not _rolled_out(item, wanted):
            found.append(f"{name} ({item.get('status', {}).get('readyReplicas', 0)} of {wanted})")
    return found


def _rolled_out(item: dict[str, Any], wanted: int) -> bool:
    status = item.get("status", {})
    seen = status.get("observedGeneration", 0) >= item["metadata"].get("generation", 1)
    counts = [status.get(each, 0) for each in ("replicas", "updatedReplicas", "readyReplicas")]
    # A StatefulSet that was never updated does not count its pods as updated.
    if item["kind"] == "StatefulSet" and status.get("currentRevision") == status.get("updateRevision"):
        counts[1] = counts[0]
    return seen and all(count == wanted for count in counts)


def trouble(kubectl: Kubectl, namespaces: Iterable[str], tell: Tell) -> None:
    """What one would look at: pods that are not ready, the latest warnings, the last words of what crashed."""
    for namespace in namespaces:
        for words in (
            ("get", "pods", "-n", namespace, "-o", "wide"),
            ("get", "events", "-n", namespace, "--field-selector", _WARNINGS, "--sort-by", ".lastTimestamp"),
        ):
            _show(kubectl, words, tell, last=_EVENTS)
        try:
            items = kubectl.items("pods", "-n", namespace)
        except Failed:
            continue
        for item in items:
            for container, last_run in _crashed(item):
                name = item["metadata"]["name"]
                previous = ["--previous"] if last_run else []
                logs = ["logs", "-n", namespace, name, "-c", container, f"--tail={_LOG_LINES}", *previous]
                _show(kubectl, logs, tell, last=_LOG_LINES)


def _crashed(item: dict[str, Any]) -> list[tuple[str, bool]]:
    """The containers that ended badly, and whether they were begun again since."""
    status = item.get("status", {})
    told = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
    again = [(each["name"], True) for each in told if not each.get("ready") and each.get("restartCount", 0)]
    ended = [
        (each["name"], False) for each in told if each.get("state", {}).get("terminated", {}).get("exitCode", 0) != 0
    ]
    return again + ended


def _show(kubectl: Kubectl, words: Sequence[str], tell: Tell, *, last: int) -> None:
    try:
        lines = kubectl(*words, limit=30).splitlines()
    except Failed as error:
        lines = str(error).splitlines()
    tell(f"$ kubectl {' '.join(words)}")
    for line in lines[-last:] or ["(nothing)"]:
        tell(f"  {line[:220]}")
