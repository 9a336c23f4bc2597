"""The command line: one module per group of verbs; `calls` holds what they share, `show` how things are printed.

A group's module is imported when it is used: `make up` begins with `keys`, and the tour is a quarter of all there is.
"""

import importlib

import click

from clients.channel import DEFAULT_TARGET
from clients.cli.calls import Commands, Options

# verb -> its module
VERBS = {
    "chat": "rooms",
    "demo": "demo",
    "files": "files",
    "keys": "access",
    "rooms": "rooms",
    "token": "access",
    "users": "users",
}


class Verbs(Commands):
    """Finds a verb in its module."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of VERBS."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb, from its module."""
        if cmd_name not in VERBS:
            return None
        command = getattr(importlib.import_module(f"clients.cli.{VERBS[cmd_name]}"), cmd_name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=Verbs, context_settings={"max_content_width": 110})
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
