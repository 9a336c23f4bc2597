"""A pod's folders for its volumes: files of ConfigMaps and Secrets, empty folders, and data that stays."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from localmesh.errors import MeshError
from localmesh.mesh.workloads import Keeps, Volume
from localmesh.runtime.dirs import PodDirs


@dataclass(frozen=True, slots=True)
class Folder:
    """A volume's place on this machine."""

    volume: Volume
    path: Path

    @property
    def stays(self) -> bool:
        """It outlives its pod."""
        return self.volume.keeps is Keeps.DATA


def place(volume: Volume, dirs: PodDirs) -> Folder:
    """Where the volume is."""
    return Folder(volume, (dirs.data if volume.keeps is Keeps.DATA else dirs.run / "volumes") / volume.name)


def make(folder: Folder) -> None:
    """Make the folder, private to us, with the volume's files; what was in one that does not stay is gone."""
    if not folder.stays:
        remove(folder)
    folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, content in folder.volume.files.items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise MeshError(f"the volume {folder.volume.name} has a file {name!r} outside of itself")
        file = folder.path / path
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_bytes(content)


def remove(folder: Folder) -> None:
    """Remove a volume that ends with its pod."""
    if not folder.stays:
        shutil.rmtree(folder.path, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Mark:
    """The sign beside a data volume that its preparation has begun and not ended."""

    volume: Path
    sign: Path = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sign", self.volume.with_name(f"{self.volume.name}.preparing"))

    def begin(self) -> bool:
        """Whether there is something to prepare: the volume is new, or its preparation was cut short.

        What a preparation that was cut short has left is thrown away; nothing else ever is.
        """
        if self.sign.exists():
            shutil.rmtree(self.volume, ignore_errors=True)
        elif self.volume.exists() and any(self.volume.iterdir()):
            return False
        self.volume.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.sign.touch(mode=0o600)
        return True

    def end(self) -> None:
        """The volume is prepared."""
        self.sign.unlink()
