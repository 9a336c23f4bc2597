"""What is done to the files of folders, as Linux tells it: inotify(7), which Python's library does not have.

Nothing is polled, and the kernel says when a file was written to its end, so nobody has to guess how long a save takes.
"""

import contextlib
import ctypes
import os
import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from localmesh.up.step import Step

MODIFY, CLOSE_WRITE, MOVED_FROM, MOVED_TO, CREATE, DELETE = 0x2, 0x8, 0x40, 0x80, 0x100, 0x200
OVERFLOW, ONLY_FOLDERS, ADD_TO_MASK, IS_FOLDER = 0x4000, 0x0100_0000, 0x2000_0000, 0x4000_0000
_ALL = MODIFY | CLOSE_WRITE | MOVED_FROM | MOVED_TO | CREATE | DELETE
_HEAD = struct.Struct("iIII")  # watch descriptor, mask, cookie, length of the name that follows
_BUFFER = 64 * 1024


class Inotify:
    """Watches from its making on. Raises OSError where the kernel allows no more watches."""

    def __init__(self, paths: Iterable[Path], wanted: Callable[[Path], bool]) -> None:
        """`paths`: absolute ones, of files, and of folders with all below. `wanted`: which of the last are told of."""
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._paths, self._wanted = tuple(paths), wanted
        self._folders: dict[int, Path] = {}
        self._links: dict[Path, set[Path]] = {}  # to the links of it: whose target is in another place
        self.descriptor = self._checked(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        try:
            for path in self._paths:
                # Editors put a new file in the place of the old one: that is told of the folder.
                self._add(path.parent, CREATE | MOVED_TO if path.is_dir() else _ALL)
                self._add_below(path)
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Watch no more."""
        os.close(self.descriptor)

    def touched(self) -> Iterator[tuple[Path, Step]]:
        """What was done since the last call: to which file, and what is known of it after that.

        A folder that is gone is told in place of its files, and all of `paths` if the kernel could not keep so much.
        """
        while True:
            try:
                data = os.read(self.descriptor, _BUFFER)
            except BlockingIOError:
                return
            at = 0
            while at < len(data):
                watch, mask, _, length = _HEAD.unpack_from(data, at)
                name = data[at + _HEAD.size : at + _HEAD.size + length].rstrip(b"\0")
                at += _HEAD.size + length
                if mask & OVERFLOW:
                    yield from ((path, Step.WHOLE) for path in self._paths)
                elif watch in self._folders and name:
                    yield from self._told(self._folders[watch] / os.fsdecode(name), mask)

    def _told(self, path: Path, mask: int) -> Iterator[tuple[Path, Step]]:
        yield from ((link, _step(mask)) for link in self._links.get(path, ()) if _target(link) == path)
        if path not in self._paths and not any(self._is_below(one, path) for one in self._paths):
            return
        if not mask & IS_FOLDER:
            if path in self._paths or self._wanted(path):  # what is named is read whatever its name is
                with contextlib.suppress(OSError):  # a folder that may not be read, or no more watches
                    self._add_target(path)
                yield path, _step(mask)
        elif mask & (CREATE | MOVED_TO):
            # What was put into it before it is watched is not told of by the kernel.
            yield from ((each, Step.MADE) for each in self._add_below(path))
        elif mask & (MOVED_FROM | DELETE):
            yield path, Step.GONE

    @staticmethod
    def _is_below(folder: Path, path: Path) -> bool:
        """Whether it is, and in no hidden folder. Of a hidden file that is nothing to say: it is not wanted."""
        return path.is_relative_to(folder) and not any(each.startswith(".") for each in path.relative_to(folder).parts)

    def _add_below(self, folder: Path) -> list[Path]:
        """The wanted files there."""
        found = []
        for each, below, names in os.walk(folder):
            self._add(Path(each), _ALL)
            below[:] = [name for name in below if not name.startswith(".")]
            found += [file for name in names if self._wanted(file := Path(each, name))]
        for file in found:
            self._add_target(file)
        return found

    def _add_target(self, file: Path) -> None:
        """Watch what a symbolic link leads to. A link on the way there that is changed is not seen."""
        if file.is_symlink():
            target = _target(file)
            self._links.setdefault(target, set()).add(file)
            self._add(target.parent, _ALL)

    def _add(self, folder: Path, mask: int) -> None:
        try:
            flags = ONLY_FOLDERS | ADD_TO_MASK | mask
            watch = self._checked(self._libc.inotify_add_watch(self.descriptor, os.fsencode(folder), flags))
        except (FileNotFoundError, NotADirectoryError):
            return  # gone meanwhile
        self._folders[watch] = folder

    def _checked(self, result: int) -> int:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return result


def _target(link: Path) -> Path:
    return Path(os.path.realpath(link))  # `resolve` raises at a link that leads to itself


def _step(mask: int) -> Step:
    if mask & (CLOSE_WRITE | MOVED_TO):
        return Step.WHOLE
    if mask & MODIFY:
        return Step.OPEN
    return Step.MADE if mask & CREATE else Step.GONE
