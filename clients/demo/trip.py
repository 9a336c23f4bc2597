"""A file to the mesh and back."""

import os
import tempfile
from pathlib import Path

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from clients.channel import Gateway
from clients.demo.story import Story
from clients.download import get
from clients.upload import described, put
from clients.wording import size

SIZE = 8 << 20


async def there_and_back(story: Story, gateway: Gateway) -> None:
    """Random bytes, so that no layer can have made them up."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.bin"
        path.write_bytes(os.urandom(SIZE))
        upload = described(path, "application/octet-stream")
        columns = (TextColumn("   {task.description}"), BarColumn(), DownloadColumn(binary_units=True))
        with Progress(*columns, console=story.console) as progress:
            up = progress.add_task("up  ", total=upload.size)
            stored = await put(gateway, upload, lambda done, _: progress.update(up, completed=done))
            down = progress.add_task("down", total=upload.size)
            copy = Path(folder) / "copy.bin"
            _, info = await get(gateway, stored.id, copy, lambda done, _: progress.update(down, completed=done))
        same = copy.read_bytes() == path.read_bytes()
    story.hold(
        same and stored.sha256 == upload.sha256 == info.sha256,
        f"the same {size(SIZE)} came back",
        f"SHA-256 {upload.sha256[:16]}… at all three places",
    )
