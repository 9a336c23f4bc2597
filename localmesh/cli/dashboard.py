"""`localmesh dashboard`: the mesh in a browser."""

import asyncio
import webbrowser
from pathlib import Path

import click

from localmesh.runtime import dirs


@click.command()
@click.option(
    "--listen", default="127.0.0.1:8088", show_default=True, metavar="ADDRESS:PORT", help="Only of this machine."
)
@click.option("--open", "open_", is_flag=True, help="Show it in the browser.")
@click.pass_obj
def dashboard(state: Path, listen: str, open_: bool) -> None:
    """The mesh in a browser, until Ctrl-C: topology with live rates, pods and their logs, policies, traces.

    It only looks; it also waits for a mesh that is not running yet.

    \b
      localmesh dashboard --open
    """
    from localmesh.dashboard.server import serve  # noqa: PLC0415  (--help needs no server)

    def listening(address: str) -> None:
        click.echo(f"{address}   Ctrl-C ends it.")
        if open_:
            webbrowser.open(address)

    asyncio.run(serve(dirs.of(state), listen, listening))
