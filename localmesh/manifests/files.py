"""The files that are meant by paths: what is named, and the YAML and JSON below folders.

By `os` and not by `pathlib`: a saved file waits for this, and it is three times as fast so.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from localmesh.errors import Problem, Where

_SUFFIXES = frozenset({".yaml", ".yml", ".json"})
_KUSTOMIZATIONS = frozenset({"kustomization.yaml", "kustomization.yml"})


def is_meant(name: str) -> bool:
    """Whether a file of this name, found in a folder, is to be read: YAML or JSON, and not hidden."""
    return not name.startswith(".") and os.path.splitext(name)[1] in _SUFFIXES  # noqa: PTH122


def files(paths: Iterable[Path | str], problems: list[Problem]) -> Iterator[Path]:
    """The files to read, each once, those of a folder sorted by name.

    Hidden files and folders are left out, and kustomize components below: they change what others apply.
    """
    seen: set[tuple[int, int]] = set()
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(filter(_is_file, _below(str(path))), key=lambda each: each.split(os.sep))  # noqa: PTH206
            if not inside:
                problems.append(Problem(Where(str(path)), "there is no YAML file in this folder"))
        else:
            inside = [str(path)]
        for each in inside:
            try:
                known = os.stat(each)  # noqa: PTH116
            except OSError:
                problems.append(Problem(Where(each), "there is no such file or folder"))
                continue
            if (known.st_dev, known.st_ino) not in seen:
                seen.add((known.st_dev, known.st_ino))
                yield Path(each)


def _below(top: str) -> Iterator[str]:
    for folder, folders, names in os.walk(top):
        folders[:] = [name for name in folders if not name.startswith(".")]
        if folder != top and any(name in _KUSTOMIZATIONS and _is_component(Path(folder, name)) for name in names):
            folders.clear()
            continue
        for name in names:
            if is_meant(name):
                yield os.path.join(folder, name)  # noqa: PTH118


def _is_file(path: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116
    except OSError:
        return False  # gone, or a link to nothing


def _is_component(file: Path) -> bool:
    """Whether this is the kustomization.yaml of a component: `kind: Component`."""
    try:
        return any(line.rstrip() == b"kind: Component" for line in file.read_bytes().splitlines())
    except OSError:
        return False  # told when it is read
