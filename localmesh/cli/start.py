"""`localmesh up`: the mesh in a process of its own.

Little is imported before that process is on its way: what shows its progress is loaded while it starts.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from localmesh.errors import MeshError
from localmesh.runtime import dirs
from localmesh.runtime.dirs import Dirs

if TYPE_CHECKING:
    from localmesh.control.control_pb2 import Status

# The name of the control plane's own log, beside those of the pods.
MESH = "localmesh"


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

    Spans are kept for `localmesh traces`, or sent to a collector of yours: OTLP_ENDPOINT=http://127.0.0.1:4317.

    \b
      localmesh up
      localmesh up deploy/k8s deploy/istio my-policy.yaml
      localmesh --state /tmp/other up deploy
    """
    began = since or time.time()
    paths = paths or (Path("deploy"),)
    where = dirs.of(state)
    if foreground:
        from localmesh.cli import run  # noqa: PLC0415

        run.run(paths, where, began, report)
        return
    status, ours = _up(paths, where, began, quiet=as_json)
    from localmesh.cli import show  # noqa: PLC0415

    if not ours:
        click.echo("The mesh is running already; nothing was changed.\n", err=as_json)
    if as_json:
        show.as_json(status)
        return
    show.pods(status)
    if ours:
        click.echo(f"\nReady after {time.time() - began:.1f} s.")
        show.hints(status)


def _up(paths: tuple[Path, ...], where: Dirs, began: float, *, quiet: bool) -> "tuple[Status, bool]":
    """The mesh when its start is over, and whether it was started by us. Raises the MeshError that ended the start."""
    if dirs.holder(where) is None:
        try:
            return _start(paths, where, began, quiet=quiet), True
        except MeshError:
            if dirs.holder(where) is None:
                raise
            # Somebody else was a moment faster.
    from localmesh.cli import follow, progress  # noqa: PLC0415

    with progress.Progress(quiet=quiet) as shown:
        return follow.others(where, shown), False


def _start(paths: tuple[Path, ...], where: Dirs, began: float, *, quiet: bool) -> "Status":
    """Start the process that runs the mesh, and return when its start is over. Raises the MeshError that ended it.

    Whoever ends us (Ctrl-C, SIGTERM, a closed terminal) ends what was begun. (It also ends by itself when nobody
    waits for it any more: its pipe tells.)
    """
    with dirs.writable(where.state):
        where.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        out = (where.logs / f"{MESH}.log").open("ab")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # as Ctrl-C
    read, write = os.pipe()
    options = ("--foreground", "--report", str(write), "--since", str(began))
    words = [sys.executable, "-m", "localmesh", "--state", str(where.state), "up", *options, *map(str, paths)]
    with out, open(read, encoding="utf-8") as lines:  # noqa: PTH123 (a descriptor)
        process = _spawn(words, out, write)
        try:
            from localmesh.cli import follow, progress  # noqa: PLC0415

            with progress.Progress(quiet=quiet) as shown:
                return follow.own(process, lines, Path(out.name), shown)
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            raise


def _spawn(words: list[str], out: IO[bytes], pipe: int) -> "subprocess.Popen[bytes]":
    """A process that goes on without us, writes to `out`, and has the pipe that we give away."""
    try:
        return subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=out, stderr=out, pass_fds=(pipe,), start_new_session=True
        )
    except OSError as error:
        from localmesh.runtime.process import cannot_start  # noqa: PLC0415

        raise cannot_start(words[0], error) from error
    finally:
        os.close(pipe)
