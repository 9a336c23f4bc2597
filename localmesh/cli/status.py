"""`localmesh status`."""

from pathlib import Path

import click

from localmesh.cli import show
from localmesh.control.client import connected
from localmesh.control.control_pb2 import GetStatusRequest, Status
from localmesh.control.failures import decode_problems
from localmesh.runtime import dirs


@click.command()
@click.option("--json", "as_json", is_flag=True, help="All that is known, as JSON.")
@click.option("--phases", is_flag=True, help="Also how long the parts of the start took.")
@click.pass_obj
def status(state: Path, as_json: bool, phases: bool) -> None:
    """The pods: address, state, start time, restarts; and what the last reading of the files found wrong.

    \b
      localmesh status
      localmesh status --json | jq '.pods[] | select(.ready | not)'

    Metrics of all of them: localmesh metrics. A pod's Envoy itself is asked on a Unix socket:

    \b
      sockets=$(localmesh status --json | jq -r '.pods[] | select(.name == "chat-0").sockets')
      curl --unix-socket $sockets/admin.sock http://chat-0/clusters
    """
    with connected(dirs.of(state).socket("control")) as mesh:
        now = mesh.GetStatus(GetStatusRequest())
    if as_json:
        show.as_json(now)
        return
    show.pods(now)
    if phases:
        show_phases(now)
    if now.gateways:
        click.echo(f"\nopen here: {', '.join(now.gateways)}")
    show.problems(decode_problems(now.warnings), "warning")
    if now.problems:
        click.echo("\nThe files on disk are not in force:", err=True)
        show.problems(decode_problems(now.problems))


def show_phases(now: Status) -> None:
    """The parts of the start, each with a bar at its place in time."""
    width = 48
    whole = max((phase.begin_seconds + phase.seconds for phase in now.phases), default=0) or 1
    click.echo("")
    for phase in sorted(now.phases, key=lambda phase: phase.begin_seconds):
        before = round(phase.begin_seconds / whole * width)
        bar = max(1, round(phase.seconds / whole * width))
        click.echo(f"{phase.name:<32} {phase.seconds:6.3f} s  {' ' * before}{'━' * bar}")
