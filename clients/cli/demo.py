"""`demo`: the guided tour."""

import click

from clients.cli.calls import Options, asynchronous, examples
from clients.demo import tour
from clients.demo.story import Story


@click.command(epilog=examples("demo"))
@click.pass_obj
@asynchronous
async def demo(options: Options) -> None:
    """A guided tour on the running mesh: real calls, each held against its promise. About half a minute."""
    await tour.given(Story(), options.target)
