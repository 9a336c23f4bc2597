"""What a test asks of a running mesh on this machine, asked as the command line asks it: by the control API.

A process for each question would take ten times as long as its answer. What is printed is held by tests/localmesh/cli.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from localmesh.control.client import connected
from localmesh.control.control_pb2 import (
    ApplyRequest,
    GetStatusRequest,
    GetTraceRequest,
    KillRequest,
    RestartRequest,
    ScaleRequest,
)
from localmesh.control.control_pb2_grpc import ControlServiceStub
from localmesh.errors import MeshError
from localmesh.observe import otlp
from localmesh.runtime import dirs
from tests.mesh.backend import PodInfo, Refused


@contextmanager
def _asked(state: Path) -> Iterator[ControlServiceStub]:
    """The mesh of this state folder; its complaint is a Refused."""
    try:
        with connected(dirs.of(state).socket("control")) as mesh:
            yield mesh
    except MeshError as error:
        raise Refused(str(error)) from None


def apply(state: Path) -> None:
    """Returns when every proxy obeys the files. Raises Refused, and then nothing has changed."""
    with _asked(state) as mesh:
        mesh.Apply(ApplyRequest())


def pods(state: Path) -> tuple[PodInfo, ...]:
    """All pods."""
    with _asked(state) as mesh:
        listed = mesh.GetStatus(GetStatusRequest()).pods
    return tuple(
        PodInfo(f"{pod.namespace}/{pod.name}", pod.address, pod.state, pod.ready, pod.restarts) for pod in listed
    )


def sockets(state: Path, pod: str) -> Path:
    """The folder of a pod's Unix sockets, `admin.sock` among them."""
    with _asked(state) as mesh:
        listed = mesh.GetStatus(GetStatusRequest()).pods
    return next(Path(each.sockets) for each in listed if f"{each.namespace}/{each.name}" == pod)


def kill(state: Path, pod: str, signal: int, container: str = "") -> None:
    """Send a signal to a pod's programs, or to one of them."""
    with _asked(state) as mesh:
        mesh.Kill(KillRequest(pod=pod, signal=signal, container=container))


def scale(state: Path, workload: str, replicas: int) -> None:
    """Returns when they are ready."""
    with _asked(state) as mesh:
        mesh.Scale(ScaleRequest(workload=workload, replicas=replicas))


def restart(state: Path, workload: str) -> None:
    """Returns when the last pod is ready again."""
    with _asked(state) as mesh:
        mesh.Restart(RestartRequest(workload=workload))


def trace(state: Path, trace_id: str) -> dict[str, Any]:
    """A trace as OTLP's JSON, as `localmesh trace --json` prints it. Raises Refused while nothing of it has come."""
    with _asked(state) as mesh:
        found: dict[str, Any] = json.loads(otlp.to_json(mesh.GetTrace(GetTraceRequest(id=trace_id)).otlp))
    return found
