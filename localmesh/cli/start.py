"""`localmesh up`: the mesh in a process of its own, and what is shown until it is ready."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from google.protobuf.json_format import Parse

from localmesh.cli import show
from localmesh.cli.logs import MESH
from localmesh.cli.progress import Progress
from localmesh.control.client import connected
from localmesh.control.control_pb2 import Report, Status, WatchStatusRequest
from localmesh.control.failures import decode
from localmesh.errors import MeshError
from localmesh.runtime import dirs
from localmesh.runtime.dirs import Dirs

NEXT = """
Next:
  make demo               a guided tour
  make chat USER=ada      a chat in this terminal
  localmesh status        the pods; also: logs POD, config POD, scale NAME=N, kill POD"""


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path), metavar="[PATH]…")
@click.option("--foreground", is_flag=True, help="Stay in this terminal; Ctrl-C ends the mesh.")
@click.option("--json", "as_json", is_flag=True, help="The pods as JSON, when they are ready.")
@click.option("--report", type=int, hidden=True, help="The descriptor of a pipe that is told how the start goes.")
@click.option("--since", type=float, hidden=True, help="When the start began (Unix time).")
@click.pass_obj
def up(
    state: Path, *, paths: tuple[Path, ...], foreground: bool, as_json: bool, report: int | None, since: float | None
) -> None:
    """Start the mesh of the files in PATH… (default: deploy), and return when every pod is ready.

    It goes on in the background; files that are saved from then on take effect at once. If the start fails, the reason
    is shown and nothing is left running. Where a mesh runs already, nothing changes.

    \b
      localmesh up
      localmesh up deploy/k8s deploy/istio my-policy.yaml
      localmesh --state /tmp/other up deploy
    """
    began = since or time.time()
    paths = paths or (Path("deploy"),)
    where = dirs.of(state)
    if foreground:
        from localmesh.cli import run  # noqa: PLC0415  (the whole mesh: not for those who only wait for it)

        asyncio.run(run.run(paths, where, began, report))
        return
    status, ours = _up(paths, where, began, quiet=as_json)
    if not ours:
        click.echo("The mesh is running already; nothing was changed.\n", err=as_json)
    if as_json:
        show.as_json(status)
        return
    show.pods(status)
    if ours:
        click.echo(f"\nReady after {time.time() - began:.1f} s.\n{NEXT}")


def _up(paths: tuple[Path, ...], where: Dirs, began: float, *, quiet: bool) -> tuple[Status, bool]:
    """The mesh when its start is over, and whether it was started by us. Raises the MeshError that ended the start."""
    with Progress(quiet=quiet) as progress:
        if dirs.holder(where) is None:
            try:
                return _start(paths, where, began, progress), True
            except MeshError:
                if dirs.holder(where) is None:
                    raise
                # Somebody else was a moment faster.
        return _follow(where, progress), False


def _follow(where: Dirs, progress: Progress) -> Status:
    """Wait until the start that somebody else has begun is over."""
    socket = where.socket("control")
    while not socket.exists() and dirs.holder(where) is not None:
        time.sleep(0.02)
    with connected(socket) as mesh:
        for status in mesh.WatchStatus(WatchStatusRequest()):
            progress.show(status)
            if status.started:
                return status
    raise MeshError("the mesh ended while it was started", "localmesh logs localmesh")


def _start(paths: tuple[Path, ...], where: Dirs, began: float, progress: Progress) -> Status:
    """Start the process that runs the mesh, and follow it until its start is over.

    Raises the MeshError that ended the start. Ctrl-C ends what was begun.
    """
    with _mesh(paths, where, began) as (process, reports):
        try:
            for report in reports:
                if report.HasField("failure"):
                    process.wait()
                    raise decode(report.failure)
                progress.show(report.status)
                if report.status.started:
                    return report.status
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            raise
        status = process.wait()
    log = where.logs / f"{MESH}.log"
    raise MeshError(f"the mesh ended with exit status {status} while it started", f"see {log}:\n{show.tail(log)}")


@contextmanager
def _mesh(
    paths: tuple[Path, ...], where: Dirs, began: float
) -> Iterator[tuple[subprocess.Popen[bytes], Iterator[Report]]]:
    """A process that runs the mesh, and what it reports of its start."""
    where.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
    read, write = os.pipe()
    options = ("--foreground", "--report", str(write), "--since", str(began))
    with (where.logs / f"{MESH}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "localmesh", "--state", str(where.state), "up", *options, *map(str, paths)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(write,),
            start_new_session=True,
        )
    os.close(write)
    with open(read, encoding="utf-8") as lines:  # noqa: PTH123  (a descriptor, not a path)
        yield process, (Parse(line, Report()) for line in lines)
