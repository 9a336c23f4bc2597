"""What a running mesh tells of itself, as values."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from localmesh.errors import Problem


@dataclass(frozen=True, slots=True)
class Phase:
    """One part of the start: when it began, in seconds after the start's beginning, and how long it took."""

    name: str
    begin_seconds: float
    seconds: float


@dataclass(slots=True)
class Phases:
    """The parts of the start, as they end. They may overlap. `zero` is a time.time()."""

    zero: float = field(default_factory=time.time)
    ended: list[Phase] = field(default_factory=list)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time the body."""
        begin = time.time()
        try:
            yield
        finally:
            self.add(name, begin, time.time())

    def add(self, name: str, begin: float, end: float) -> None:
        """A part that went from `begin` to `end` (time.time())."""
        self.ended.append(Phase(name, begin - self.zero, end - begin))


@dataclass(frozen=True, slots=True)
class PodStatus:
    """One pod."""

    namespace: str
    name: str
    workload: str
    address: str
    state: str  # one word
    reason: str = ""
    ready: bool = False
    restarts: int = 0
    started_at: float = 0.0  # seconds since 1970; 0: not yet
    start_seconds: float = 0.0  # until it was first ready; 0: not yet
    acked: bool = False  # its proxy has acknowledged all that it was told
    sockets: str = ""  # the folder of its Unix sockets
    proxy: str = "none"  # sidecar, gateway or none
    metrics: str = ""  # the Unix socket on which its program serves /metrics


@dataclass(frozen=True, slots=True)
class Edits:
    """How many readings of the files were applied and refused, and how long the last applied one took."""

    applied: int = 0
    refused: int = 0
    last_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class MeshStatus:
    """The whole mesh. `problems`: of the last reading of the files, which are then not in force."""

    process: int
    started_at: float
    started: bool  # the start is over
    paths: tuple[str, ...]
    pods: tuple[PodStatus, ...]
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    phases: tuple[Phase, ...] = ()
    gateways: tuple[str, ...] = ()
    edits: Edits = Edits()
    traces: int = 0  # that are kept
    next: Mapping[str, str] = field(default_factory=dict)  # commands to try, each with what it does
