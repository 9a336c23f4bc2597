"""`localmesh version`: also the first thing to look at when something does not start."""

import json
import platform
from importlib import metadata

import click

from localmesh.errors import MeshError
from localmesh.runtime import programs


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def version(as_json: bool) -> None:
    """The versions of localmesh and of the programs that it runs, and where those come from.

    \b
      localmesh version
      ENVOY_BIN=/usr/local/bin/envoy localmesh version
    """
    rows = [("localmesh", _own(), ""), ("python", platform.python_version(), "")]
    missing: list[MeshError] = []
    for name in (programs.ENVOY, programs.POSTGRES, programs.NATS):
        try:
            found = programs.find(name)
            rows.append((name, programs.version(found), f"{found.origin}: {found.path}"))
        except MeshError as error:
            rows.append((name, "", error.what))
            missing.append(error)
    if as_json:
        click.echo(json.dumps({name: {"version": number, "from": origin} for name, number, origin in rows}, indent=2))
    else:
        for name, number, origin in rows:
            click.echo(f"{name:<10} {number or '—':<10} {origin}".rstrip())
    if missing:
        raise missing[0]


def _own() -> str:
    try:
        return metadata.version("localmesh")
    except metadata.PackageNotFoundError:
        return "not installed"
