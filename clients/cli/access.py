"""`keys` and `token`: what one needs before anything can be called."""

import click

from clients import caller, tokens
from clients import keys as secrets
from clients.cli.calls import Options, asynchronous, examples


@click.command(epilog=examples("keys"))
def keys() -> None:
    """Make the signing key, the passwords and their manifests, where they are missing."""
    places = secrets.Places(secrets.repository())
    for path in secrets.ensure(places):
        print(f"made {path.relative_to(places.root)}")


@click.command(epilog=examples("token ada", '--token "$(python -m clients token ada)" rooms send lobby hello'))
@click.argument("user")
@click.pass_obj
@asynchronous
async def token(options: Options, user: str) -> None:
    """Print a token for USER, valid for 24 hours. The user NAME@example.com is made if there is none."""
    key = caller.signing_key()  # before a user is made for nothing
    print(tokens.mint(key, (await caller.ensured(options.target, user)).id))
