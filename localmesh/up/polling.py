"""What is done to the files of folders, seen by looking at them again and again: for systems without inotify."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from localmesh.up.step import Step

# Inode, size, and two times in ns: of the last change, and when anything was done to it, which nobody can set back.
_Stamp = tuple[int, int, int, int]


class Polling:
    """Compares from its making on."""

    def __init__(self, paths: Iterable[Path], wanted: Callable[[Path], bool]) -> None:
        """`paths`: files, and folders with all below. `wanted`: which of those below are told of."""
        self._paths, self._wanted = tuple(paths), wanted
        self._stamps = self._look()

    def close(self) -> None:
        """There is nothing to close."""

    def touched(self) -> Iterator[tuple[Path, Step]]:
        """What is not as at the last call. When a file is whole cannot be seen."""
        before, self._stamps = self._stamps, self._look()
        for path in {path for path, _ in before.items() ^ self._stamps.items()}:
            if path not in self._stamps:
                yield path, Step.GONE
            else:
                yield path, Step.CHANGED if path in before else Step.MADE

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
        yield file, (known.st_ino, known.st_size, known.st_mtime_ns, known.st_ctime_ns)
