"""`localmesh down` and `clean`."""

import contextlib
import os
import shutil
import signal
import time
from pathlib import Path

import click

from localmesh.errors import MeshError
from localmesh.runtime import dirs, records
from localmesh.runtime.dirs import Dirs

# Every pod may take its grace (30 s), one rank of pods after the other.
_PATIENCE_SECONDS = 120.0


@click.command()
@click.pass_obj
def down(state: Path) -> None:
    """Stop the mesh: pods finish what they do, and end. Its data stays for the next `up`.

    \b
      localmesh down
    """
    click.echo("The mesh is down; its data stays." if stop(dirs.of(state)) else "The mesh is not running.")


@click.command()
@click.pass_obj
def clean(state: Path) -> None:
    """Stop the mesh and forget its data and logs.

    \b
      localmesh clean
    """
    where = dirs.of(state)
    stop(where)
    if where.state.exists():
        with dirs.held(where):
            shutil.rmtree(where.data)
            shutil.rmtree(where.logs)
            # While it is ours: a moment later it may be that of the next `up`.
            (where.state / "lock").unlink()
        with contextlib.suppress(OSError):  # somebody keeps something else there
            where.state.rmdir()
    click.echo("The mesh is down, and its data is gone.")


def stop(where: Dirs) -> bool:
    """End the mesh that runs on these folders, and wait until it is gone. False if none ran. MeshError if it stays."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while (process := dirs.holder(where)) == 0:  # a moment later it has said who it is
        if time.monotonic() > until:
            raise MeshError(f"somebody holds {where.state} and does not say who", "see who has its file `lock` open")
        time.sleep(0.02)
    if process is None:
        return False
    began = records.started(process)
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGTERM)
    # It is there until nothing of the mesh is left. (A number alone may be somebody else's by then.)
    while began and records.started(process) == began:
        if time.monotonic() > until:
            raise MeshError(f"the mesh (process {process}) does not end", f"kill -9 {process}: its pods end with it")
        time.sleep(0.02)
    return True
