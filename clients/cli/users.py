"""`users`: all of UserService."""

import time
import uuid
from collections import Counter
from pathlib import Path

import click

from clients import user_import
from clients import users as user_calls
from clients.channel import UNARY_SECONDS
from clients.cli import show
from clients.cli.calls import Commands, Options, asynchronous, examples
from clients.failure import Failure
from clients.user_import import Fate, Outcome
from clients.wording import plain
from protos.user.v1.user_pb2 import (
    BatchGetUsersRequest,
    CreateUserRequest,
    DeleteUserRequest,
    GetUserRequest,
    ListUsersRequest,
    UpdateUserRequest,
    User,
)

_REASONS_SHOWN = 10


@click.group(cls=Commands)
def users() -> None:
    """Create, read, change, delete and import users."""


@users.command(epilog=examples("users create Ada ada@example.com"))
@click.argument("name")
@click.argument("email")
@click.option("--request-id", help="A UUID: the same one makes the same user. Without it a new one.")
@click.option("--validate-only", is_flag=True, help="Check everything, store nothing.")
@show.as_json
@click.pass_obj
@asynchronous
async def create(
    options: Options, *, name: str, email: str, request_id: str | None, validate_only: bool, as_json: bool
) -> None:
    """Make a user."""
    request = CreateUserRequest(
        name=name, email=email, request_id=request_id or str(uuid.uuid4()), validate_only=validate_only
    )
    async with options.gateway() as gateway:
        user = await gateway.users.CreateUser(request, metadata=gateway.metadata(), timeout=UNARY_SECONDS)
    show.one(user, as_json=as_json)


@users.command(epilog=examples("users get 01890a5d-ac96-774b-bcce-b302099a8057"))
@click.argument("id")
@show.as_json
@click.pass_obj
@asynchronous
async def get(options: Options, id: str, as_json: bool) -> None:
    """Show the user of an id."""
    async with options.gateway() as gateway:
        user = await gateway.users.GetUser(GetUserRequest(id=id), metadata=gateway.metadata(), timeout=UNARY_SECONDS)
    show.one(user, as_json=as_json)


@users.command("batch-get", epilog=examples("users batch-get ID1 ID2 ID3"))
@click.argument("ids", nargs=-1, required=True)
@show.as_json
@click.pass_obj
@asynchronous
async def batch_get(options: Options, ids: tuple[str, ...], as_json: bool) -> None:
    """Show those of the users that exist, in the order given."""
    async with options.gateway() as gateway:
        request = BatchGetUsersRequest(ids=ids)
        found = await gateway.users.BatchGetUsers(request, metadata=gateway.metadata(), timeout=UNARY_SECONDS)
    show.listed(found.users, _line, as_json=as_json)


@users.command("list", epilog=examples("users list --name-prefix ad --limit 20", "users list --json"))
@click.option("--name-prefix", default="", help="Only names that begin so, whatever the case.")
@click.option("--email", default="", help="Only the user of this address.")
@click.option("--after", "after_id", default="", help="Only users made after the one of this id.")
@click.option("--limit", default=0, type=click.IntRange(0), help="At most so many; 0: all.")
@show.as_json
@click.pass_obj
@asynchronous
async def list_(options: Options, *, name_prefix: str, email: str, after_id: str, limit: int, as_json: bool) -> None:
    """List users in the order in which they were made, as they stream in."""
    request = ListUsersRequest(name_prefix=name_prefix, email=email, after_id=after_id, limit=limit)
    async with options.gateway() as gateway:
        await show.many(user_calls.listed(gateway, request), _line, as_json=as_json)


@users.command(epilog=examples("users update ID --name 'Ada Lovelace'"))
@click.argument("id")
@click.option("--name", help="The new name.")
@click.option("--email", help="The new address.")
@click.option("--etag", default="", help="Only if the user has not changed since it had this etag.")
@show.as_json
@click.pass_obj
@asynchronous
async def update(options: Options, *, id: str, name: str | None, email: str | None, etag: str, as_json: bool) -> None:
    """Change a user's name, address or both."""
    request = UpdateUserRequest(user=User(id=id, name=name or "", email=email or "", etag=etag))
    request.update_mask.paths.extend(path for path, value in (("name", name), ("email", email)) if value is not None)
    if not request.update_mask.paths:
        raise click.UsageError("nothing to change: give --name, --email or both")
    async with options.gateway() as gateway:
        user = await gateway.users.UpdateUser(request, metadata=gateway.metadata(), timeout=UNARY_SECONDS)
    show.one(user, as_json=as_json)


@users.command(epilog=examples("users delete ID"))
@click.argument("id")
@click.option("--etag", default="", help="Only if the user has not changed since it had this etag.")
@click.pass_obj
@asynchronous
async def delete(options: Options, id: str, etag: str) -> None:
    """Remove a user."""
    async with options.gateway() as gateway:
        request = DeleteUserRequest(id=id, etag=etag)
        await gateway.users.DeleteUser(request, metadata=gateway.metadata(), timeout=UNARY_SECONDS)
    print(f"deleted {id}")


@users.command("import", epilog=examples("users import users.csv"))
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--at-once", default=user_import.AT_ONCE, type=click.IntRange(1, 500), show_default=True, help="Rows at once."
)
@click.pass_obj
@asynchronous
async def import_(options: Options, file: Path, at_once: int) -> None:
    """Make a user of each row of a CSV file with the columns name and email.

    Run it again whenever you like: no row makes a second user.
    """
    rows = user_import.read(file)
    outcomes: list[Outcome] = []
    begun = time.monotonic()
    async with options.gateway() as gateway:
        with show.counting() as progress:
            task = progress.add_task("users", total=len(rows))
            async for outcome in user_import.imported(gateway, rows, at_once):
                outcomes.append(outcome)
                progress.advance(task)
    counts = Counter(outcome.fate for outcome in outcomes)
    said = ", ".join(f"{counts[fate]} {fate.value}" for fate in Fate)
    print(f"{said} in {time.monotonic() - begun:.1f} s")
    failed = sorted(
        (outcome for outcome in outcomes if outcome.fate is Fate.FAILED), key=lambda outcome: outcome.row.line
    )
    for outcome in failed[:_REASONS_SHOWN]:
        click.echo(f"{file}:{outcome.row.line}: {plain(outcome.row.email)}: {' '.join(outcome.why.split())}", err=True)
    if failed:
        raise Failure(f"{len(failed)} of {len(rows)} rows failed; run it again when they are mended")


def _line(user: User) -> str:
    return f"{user.id}  {plain(user.name):<24}  {plain(user.email)}"
