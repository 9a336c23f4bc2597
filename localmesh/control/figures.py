"""A Status as those need it who measure: whom to ask, and what the mesh itself can tell as metrics."""

from collections import Counter
from pathlib import Path

from localmesh.control.control_pb2 import PodStatus, Status
from localmesh.observe.exposition import Family, sample
from localmesh.observe.metrics import Target
from localmesh.observe.readings import Asked

_ADMIN = "admin.sock"
_NO_PROXY = "none"


def asked(status: Status) -> list[Asked]:
    """Every pod's proxy, for `localmesh.observe.readings.read`."""
    return [
        Asked(
            pod=f"{pod.namespace}/{pod.name}",
            workload=pod.workload,
            address=pod.address,
            admin=Path(pod.sockets, _ADMIN),
            gateway=pod.proxy == "gateway",
        )
        for pod in status.pods
        if pod.proxy != _NO_PROXY
    ]


def targets(status: Status) -> list[Target]:
    """Every program that has metrics, for `localmesh.observe.metrics.scrape`: also those that are down."""
    found = []
    for pod in status.pods:
        if pod.metrics:
            found.append(_target(pod, "app", Path(pod.metrics)))
        if pod.proxy != _NO_PROXY:
            found.append(_target(pod, "envoy", Path(pod.sockets, _ADMIN)))
    return found


def own(status: Status) -> list[Family]:
    """What localmesh knows: pods by state, readiness and restarts, what became of the edits, and traces."""
    states = Counter(pod.state for pod in status.pods)
    edits = status.edits
    return [
        _each("localmesh_pods", "gauge", "Pods by state.", [({"state": name}, n) for name, n in states.items()]),
        _each(
            "localmesh_pod_ready", "gauge", "1: the pod takes calls.", [(_of(pod), pod.ready) for pod in status.pods]
        ),
        _each(
            "localmesh_pod_restarts_total",
            "counter",
            "How often a process of the pod was started again.",
            [(_of(pod), pod.restarts) for pod in status.pods],
        ),
        _each(
            "localmesh_edits_total",
            "counter",
            "Readings of the files, by what became of them.",
            [({"result": "applied"}, edits.applied), ({"result": "refused"}, edits.refused)],
        ),
        _each(
            "localmesh_last_apply_seconds",
            "gauge",
            "From reading the files to the last proxy's acknowledgement.",
            [({}, edits.last_seconds)],
        ),
        _each("localmesh_traces", "gauge", "Traces that are kept.", [({}, status.traces)]),
    ]


def _each(name: str, kind: str, said: str, samples: list[tuple[dict[str, str], float]]) -> Family:
    return Family(name, kind, said, [sample(name, labels, value) for labels, value in samples])


def _of(pod: PodStatus) -> dict[str, str]:
    return {"namespace": pod.namespace, "pod": pod.name, "workload": _name(pod.workload)}


def _target(pod: PodStatus, container: str, socket: Path) -> Target:
    return Target(pod.namespace, pod.name, _name(pod.workload), container, socket)


def _name(workload: str) -> str:
    """Without its namespace, which is a label of its own."""
    return workload.partition("/")[2] or workload
