"""What is seen of a start that goes on in another process: its progress, and how it ended."""

import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from google.protobuf.json_format import Parse

from localmesh.cli import show
from localmesh.cli.progress import Progress
from localmesh.control.control_pb2 import Report, Status, WatchStatusRequest
from localmesh.control.failures import decode
from localmesh.errors import MeshError
from localmesh.runtime import dirs
from localmesh.runtime.dirs import Dirs


def own(process: subprocess.Popen[bytes], lines: Iterable[str], log: Path, progress: Progress) -> Status:
    """Follow the start of a process that we started, by the reports on its pipe, until it is over.

    Raises the MeshError that ended the start.
    """
    for line in lines:
        report = Parse(line, Report())
        if report.HasField("failure"):
            process.wait()
            raise decode(report.failure)
        progress.show(report.status)
        if report.status.started:
            return report.status
    status = process.wait()
    raise MeshError(f"the mesh ended with exit status {status} while it started", f"see {log}:\n{show.tail(log)}")


def others(where: Dirs, progress: Progress) -> Status:
    """Wait until the start that somebody else has begun is over. MeshError if it fails."""
    from localmesh.control.client import connected  # noqa: PLC0415  (gRPC, which our own start needs not)

    socket = where.socket("control")
    while not socket.exists() and dirs.holder(where) is not None:
        time.sleep(0.02)
    with connected(socket) as mesh:
        for status in mesh.WatchStatus(WatchStatusRequest()):
            if status.started:
                return status
            progress.show(status)
    raise MeshError("the mesh ended while it was started", "localmesh logs localmesh")
