"""How a start goes: on a terminal the pods' table as it fills, elsewhere a line for each pod that is ready."""

import sys
from types import TracebackType

import click
from rich.live import Live

from localmesh.cli import show
from localmesh.control.control_pb2 import Status


class Progress:
    """Shows one status after the other; on a terminal it leaves nothing behind."""

    def __init__(self, *, quiet: bool = False, table: bool = True) -> None:
        self._ready: set[str] = set()
        table = table and sys.stdout.isatty() and not quiet
        self._live = Live(transient=True, auto_refresh=False) if table else None
        self._quiet = quiet

    def __enter__(self) -> "Progress":
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def show(self, status: Status) -> None:
        """The state so far."""
        if self._live:
            self._live.update(show.pods_table(status), refresh=True)
            return
        for pod in status.pods:
            name = f"{pod.namespace}/{pod.name}"
            if pod.ready and name not in self._ready and not self._quiet:
                click.echo(f"{name} is ready after {pod.start_seconds:.2f} s")
                self._ready.add(name)
