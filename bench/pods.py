"""The processes of a running mesh by their pods, as the kernel lists them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.own_mesh import OwnMesh

CONTROL = "localmesh"


@dataclass(frozen=True, slots=True)
class Process:
    """One process. `pod` is its name, or CONTROL; `program` the file's name, or a Python module's."""

    pid: int
    pod: str
    program: str


def processes(mesh: OwnMesh) -> list[Process]:
    """All processes of the mesh: the control plane, and what it started, with what that started."""
    control = int(mesh.status()["process"])
    found = [Process(control, CONTROL, _program(control))]
    found += [Process(pid, environment(pid).get("HOSTNAME", ""), _program(pid)) for pid in _below(control)]
    return sorted(found, key=lambda one: (one.pod != CONTROL, one.pod, one.program, one.pid))


def of_pod(found: list[Process], *pods: str) -> list[int]:
    """The ids of all processes of these pods."""
    return [one.pid for one in found if one.pod in pods]


def _below(pid: int) -> Iterator[int]:
    """Its children, and theirs."""
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for thread in threads for child in (thread / "children").read_text().split()]
    except OSError:  # it has ended
        return
    for child in children:
        yield child
        yield from _below(child)


def environment(pid: int) -> dict[str, str]:
    """What a process was started with; empty if it has ended."""
    try:
        entries = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return {}
    return dict(entry.partition("=")[::2] for entry in entries)


def _program(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return ""
    return words[words.index("-m") + 1] if "-m" in words else words[0].rpartition("/")[2]
