"""`files`: to and from the chat service."""

import mimetypes
from pathlib import Path

import click

from clients import download, upload
from clients.cli import show
from clients.cli.calls import Commands, Options, asynchronous, examples
from clients.cli.rooms import speaks
from clients.wording import plain, size


@click.group(cls=Commands)
def files() -> None:
    """Store and fetch files of up to 256 MiB."""


@files.command(epilog=examples("files put holiday.jpg --user ada"))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--user", default="", help="Whose file it is: made if missing. Not needed with --token.")
@click.option("--type", "content_type", help="Its media type. Without it: by its name.")
@show.as_json
@click.pass_obj
@asynchronous
async def put(options: Options, file: Path, user: str, content_type: str | None, as_json: bool) -> None:
    """Store a file and print its id. The SHA-256 of what was stored is compared."""
    speaks(options, user)
    guessed = content_type or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    described = upload.described(file, guessed)
    async with options.gateway(user) as gateway:
        with show.transferring() as progress:
            task = progress.add_task(f"↑ {plain(file.name)}", total=described.size)
            stored = await upload.put(gateway, described, lambda done, _: progress.update(task, completed=done))
    show.one(stored, as_json=as_json)


@files.command(epilog=examples("files get ID", "files get ID -o copy.jpg"))
@click.argument("id")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path(), help="A file or a folder; else here.")
@click.pass_obj
@asynchronous
async def get(options: Options, id: str, output: Path) -> None:
    """Fetch a file. A cut download goes on where it ended, even in a later run; the SHA-256 is checked."""
    async with options.gateway() as gateway:
        with show.transferring() as progress:
            task = progress.add_task(f"↓ {id}", total=None)
            path, info = await download.get(
                gateway, id, output, lambda done, whole: progress.update(task, completed=done, total=whole)
            )
    print(f"{plain(str(path))}  {size(info.size)}  SHA-256 {info.sha256}")
