"""The state of a mesh as messages."""

from localmesh.control import control_pb2 as messages
from localmesh.control.failures import encode_problems
from localmesh.up.status import MeshStatus, PodStatus


def encode_status(status: MeshStatus) -> messages.Status:
    """The message that says the same."""
    return messages.Status(
        process=status.process,
        started_at=status.started_at,
        started=status.started,
        paths=status.paths,
        pods=[_pod(pod) for pod in status.pods],
        problems=encode_problems(status.problems),
        warnings=encode_problems(status.warnings),
        phases=[
            messages.Phase(name=phase.name, begin_seconds=phase.begin_seconds, seconds=phase.seconds)
            for phase in status.phases
        ],
        traces=status.traces,
        gateways=status.gateways,
        edits=messages.Edits(
            applied=status.edits.applied, refused=status.edits.refused, last_seconds=status.edits.last_seconds
        ),
        next=[messages.Hint(command=command, what=what) for command, what in status.next.items()],
    )


def _pod(pod: PodStatus) -> messages.PodStatus:
    return messages.PodStatus(
        namespace=pod.namespace,
        name=pod.name,
        workload=pod.workload,
        address=pod.address,
        state=pod.state,
        reason=pod.reason,
        ready=pod.ready,
        restarts=pod.restarts,
        started_at=pod.started_at,
        start_seconds=pod.start_seconds,
        acked=pod.acked,
        sockets=pod.sockets,
        proxy=pod.proxy,
        metrics=pod.metrics,
    )
