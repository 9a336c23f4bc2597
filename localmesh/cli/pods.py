"""`localmesh scale`, `restart` and `kill`: what one does to running pods."""

import signal
from pathlib import Path

import click

from localmesh.control.client import connected
from localmesh.control.control_pb2 import KillRequest, RestartRequest, ScaleRequest
from localmesh.runtime import dirs

_MOST_DIGITS = 9  # of a number that the control API can carry; what this machine has room for is the mesh's to say


class Replicas(click.ParamType[tuple[str, int]]):
    """`NAME=N`."""

    name = "name=n"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """The workload and its number of pods."""
        workload, equals, number = str(value).rpartition("=")
        if not equals or not workload or not number.isascii() or not number.isdigit():
            self.fail(f"{value!r} is not NAME=N, such as user-v1=3", param, ctx)
        if len(number) > _MOST_DIGITS:
            self.fail(f"{value!r} asks for more pods than any mesh has", param, ctx)
        return workload, int(number)


class Signal(click.ParamType[signal.Signals]):
    """A signal by name or number."""

    name = "signal"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> signal.Signals:
        """The signal."""
        text = str(value).upper()
        try:
            return signal.Signals(int(text)) if text.isdigit() else signal.Signals[f"SIG{text.removeprefix('SIG')}"]
        except (ValueError, KeyError):
            self.fail(f"{value!r} is no signal: KILL, TERM, STOP …", param, ctx)


@click.command()
@click.argument("workloads", nargs=-1, required=True, type=Replicas(), metavar="NAME=N…")
@click.pass_obj
def scale(state: Path, workloads: tuple[tuple[str, int], ...]) -> None:
    """Set the number of pods of workloads, until `localmesh down`. Returns when they are ready, or gone.

    \b
      localmesh scale user-v2=2
      localmesh scale user-v1=1 mesh/chat=3
    """
    with connected(dirs.of(state).socket("control")) as mesh:
        for workload, replicas in workloads:
            mesh.Scale(ScaleRequest(workload=workload, replicas=replicas))
            click.echo(f"{workload} has {replicas} pod{'' if replicas == 1 else 's'}")


@click.command()
@click.argument("workloads", nargs=-1, required=True, metavar="NAME…")
@click.pass_obj
def restart(state: Path, workloads: tuple[str, ...]) -> None:
    """Replace a workload's pods one by one: each is taken out of balancing, drained, and ready again before the next.

    \b
      localmesh restart user-v1
    """
    with connected(dirs.of(state).socket("control")) as mesh:
        for workload in workloads:
            mesh.Restart(RestartRequest(workload=workload))
            click.echo(f"{workload} was restarted")


@click.command()
@click.argument("pod")
@click.option("--signal", "number", type=Signal(), default="KILL", show_default=True, help="By name or number.")
@click.option("--container", default="", help="A container, or `envoy`; without it all containers.")
@click.pass_obj
def kill(state: Path, pod: str, number: signal.Signals, container: str) -> None:
    """Send a signal to a pod's process, as a fault would. The mesh starts it again.

    \b
      localmesh kill user-v1-0
      localmesh kill chat-0 --signal STOP --container envoy
    """
    with connected(dirs.of(state).socket("control")) as mesh:
        mesh.Kill(KillRequest(pod=pod, signal=number, container=container))
    click.echo(f"{number.name} sent to {pod}")
