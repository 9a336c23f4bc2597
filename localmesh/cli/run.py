"""The mesh in this process, until SIGTERM or Ctrl-C: what `localmesh up` starts, and `up --foreground` is."""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click
from google.protobuf.json_format import MessageToJson

from localmesh.control.control_pb2 import Report
from localmesh.control.failures import encode
from localmesh.control.messages import encode_status
from localmesh.control.server import serving
from localmesh.errors import MeshError
from localmesh.runtime.dirs import Dirs
from localmesh.up.beginning import running
from localmesh.up.running import RunningMesh

if TYPE_CHECKING:
    from localmesh.cli.progress import Progress

Tell = Callable[[Report], None]


def run(paths: tuple[Path, ...], where: Dirs, began: float, pipe: int | None) -> None:
    """Start the mesh, tell how that goes (on `pipe`, or on the terminal), and run it until the end is asked for.

    A start that nobody waits for any more (the pipe's other end is closed) is ended.
    Raises MeshError if the start fails; nothing is left running then.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    asyncio.run(_run(paths, where, began, pipe))


async def _run(paths: tuple[Path, ...], where: Dirs, began: float, pipe: int | None) -> None:
    ending = asyncio.Event()
    tell = _on_terminal() if pipe is None else _on_pipe(pipe, ending.set)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    try:
        async with running(paths, where, ending, began) as mesh, serving(mesh, where.socket("control")):
            await _started(mesh, tell)
            await ending.wait()
    except MeshError as error:
        tell(Report(failure=encode(error)))
        raise


async def _started(mesh: RunningMesh, tell: Tell) -> None:
    """Tell each state until every pod is ready. Raises MeshError if the start fails."""
    watching = asyncio.create_task(_watch(mesh, tell))
    try:
        await mesh.started()
    finally:
        watching.cancel()
    tell(Report(status=encode_status(mesh.status())))


async def _watch(mesh: RunningMesh, tell: Tell) -> None:
    async for status in mesh.statuses():
        tell(Report(status=encode_status(status)))


def _on_terminal() -> Tell:
    from localmesh.cli.progress import Progress  # noqa: PLC0415  (nobody looks at a mesh in the background)

    progress = Progress(table=False)
    return lambda report: _say(report, progress)


def _on_pipe(pipe: int, abandoned: Callable[[], object]) -> Tell:
    """Writes a line for each report, until the start is over. `abandoned` is called if nobody reads any more."""
    os.set_inheritable(pipe, False)
    file = open(pipe, "w", encoding="utf-8", buffering=1)  # noqa: SIM115  (a descriptor, closed by `end`)
    loop = asyncio.get_running_loop()

    def end() -> None:
        loop.remove_reader(pipe)
        with contextlib.suppress(BrokenPipeError):
            file.close()

    def gone() -> None:
        end()
        abandoned()

    def tell(report: Report) -> None:
        if file.closed:
            return
        try:
            file.write(MessageToJson(report, indent=None) + "\n")
        except BrokenPipeError:
            gone()
        else:
            if report.status.started or report.HasField("failure"):
                end()

    # A pipe that we write to has nothing to read: it is only told of when its other end is closed.
    loop.add_reader(pipe, gone)
    return tell


def _say(report: Report, progress: "Progress") -> None:
    progress.show(report.status)
    if report.status.started:
        click.echo("Every pod is ready. Ctrl-C ends the mesh.")
