"""What is done to the files of folders, seen by looking at them again and again: for systems without inotify."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

_Stamp = tuple[int, int, int]  # inode, size, time of the last change in ns


class Polling:
    """Compares from its making on."""

    def __init__(self, paths: Iterable[Path], wanted: Callable[[Path], bool]) -> None:
        """`paths`: files, and folders with all below. `wanted`: which of those below are told of."""
        self._paths, self._wanted = tuple(paths), wanted
        self._stamps = self._look()
        self._begun: set[Path] = set()

    def close(self) -> None:
        """There is nothing to close."""

    def touched(self) -> Iterator[tuple[Path, bool]]:
        """What is not as at the last call, and whether it is whole: as it was at the last call, after a change."""
        before, self._stamps = self._stamps, self._look()
        differing = {path for path, _ in before.items() ^ self._stamps.items()}
        yield from ((path, False) for path in differing)
        yield from ((path, True) for path in self._begun - differing)
        self._begun = differing

    def _look(self) -> dict[Path, _Stamp]:
        found: dict[Path, _Stamp] = {}
        for path in self._paths:
            for folder, below, names in os.walk(path):
                below[:] = [name for name in below if not name.startswith(".")]
                found.update(_stamped(file for name in names if self._wanted(file := Path(folder, name))))
            if not path.is_dir():
                found.update(_stamped([path]))
        return found


def _stamped(files: Iterable[Path]) -> Iterator[tuple[Path, _Stamp]]:
    for file in files:
        try:
            known = file.stat()
        except OSError:
            continue  # gone meanwhile, or a link to nothing
        yield file, (known.st_ino, known.st_size, known.st_mtime_ns)
