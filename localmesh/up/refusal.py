"""Why a change is not in force: what a proxy refused, told by the YAML that caused it, and whatever else was wrong."""

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from localmesh.ads import Nack
from localmesh.errors import MeshError, Problem, Problems, Where
from localmesh.xds.snapshot import Snapshot


def explained(nacks: Iterable[Nack], snapshots: Mapping[str, Snapshot]) -> Problems:
    """The problems behind these refusals of `snapshots` (by pod): the same cause at many proxies is one problem."""
    found: dict[Problem, list[str]] = {}
    for nack in nacks:
        name, _, namespace = nack.node.rpartition(".")
        for problem in _problems(nack, snapshots.get(f"{namespace}/{name}", Snapshot.of({}))):
            found.setdefault(problem, []).append(nack.node)
    return Problems(
        Problem(problem.where, problem.what, f"refused by the Envoy of {', '.join(nodes)}; nothing was changed")
        for problem, nodes in found.items()
    )


def told(error: Exception) -> tuple[Problem, ...]:
    """Why files are not in force: what is wrong in them, with this machine, or with us."""
    if isinstance(error, Problems):
        return error.problems
    if isinstance(error, MeshError):
        return (Problem(Where("this machine"), error.what, error.hint),)
    return (Problem(Where("localmesh"), f"a fault of localmesh: {error!r}", "localmesh logs localmesh"),)


def texts(problems: Iterable[Problem]) -> dict[str, str]:
    """What the files of these problems say now, as far as they can be read."""
    found: dict[str, str] = {}
    for file in {problem.where.file for problem in problems}:
        with contextlib.suppress(OSError):  # it is no file, is gone, or may not be read: that is not what was wrong
            found[file] = Path(file).read_text(errors="replace")
    return found


def _problems(nack: Nack, snapshot: Snapshot) -> list[Problem]:
    places = [where for name in nack.names for where in snapshot.origins(nack.type_url, name)[:1]]
    what = f"Envoy refuses {', '.join(nack.names) or nack.type_url.rpartition('.')[2]}: {nack.message}"
    return [Problem(where, what) for where in places or [Where("the compiled configuration")]]
