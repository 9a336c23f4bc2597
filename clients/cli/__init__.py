"""The command line: one module per group of verbs; `calls` holds what they share, `show` how things are printed."""

import os

import click

from clients import keys as secrets
from clients import tracing
from clients.channel import DEFAULT_TARGET
from clients.cli.access import keys, token
from clients.cli.calls import Commands, Options
from clients.cli.demo import demo
from clients.cli.files import files
from clients.cli.rooms import chat, rooms
from clients.cli.users import users


@click.group(cls=Commands, context_settings={"max_content_width": 110})
@click.option(
    "--target", envvar="MESH_TARGET", default=DEFAULT_TARGET, show_default=True, help="The gateway. [MESH_TARGET]"
)
@click.option(
    "--token", envvar="MESH_TOKEN", default="", help="Call with this token instead of minting one. [MESH_TOKEN]"
)
@click.pass_context
def main(context: click.Context, target: str, token: str) -> None:
    """Users, rooms and files, through the gateway.

    Exit codes: 1 the answer is no, 2 wrong usage, 3 nobody answered, so trying again may help.
    """
    context.obj = Options(target, token)
    context.with_resource(tracing.sent(target, os.environ, secrets.repository()))


for command in (users, rooms, files, chat, token, keys, demo):
    main.add_command(command)
