"""`make bench-compile`: what the stages cost as a mesh grows, and what a one-line edit costs then.

Every service has a workload of one pod, a VirtualService, a DestinationRule and an AuthorizationPolicy, and calls the
next one. Nothing is started. Each size is a process of its own, so that its memory is its own. Compiled are: all pods
as they run here, with what they reach; and one pod as istiod would tell it (`localmesh compile`), with every service
that it can see: two clusters, two endpoint lists and two routes for each. The same messages made of dictionaries
(`ParseDict`), as one would write it first, are beside that; and beside an edit everything made anew.
"""

import gc
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from google.protobuf import json_format, symbol_database

from bench import compile_input, edits
from bench.figures import Quartiles, median, number
from bench.report import Aim, Report, Row, Table, command
from localmesh.cli import GARBAGE_AFTER
from localmesh.memo import Memo
from localmesh.mesh import Placement
from localmesh.runtime import dirs
from localmesh.up import stages
from localmesh.up.host import imagined
from localmesh.xds.compile import compile as compile_pod
from localmesh.xds.snapshot import Snapshot

SIZES = (10, 100, 1000, 5000)
EDITS = 3
ROUTE = ("timeout: 3s", "timeout: {}s")
POLICY = ("/bench.v1.Reads/*", "/bench.v1.Reads/{}")
ALL = (
    "6,000 messages with all fields that istiod sets take 40 µs each. No pod that runs here is told so: it gets what it"
    " reaches. The next step is to keep the bytes of an upstream for all pods that see it alike."
)
EDIT = (
    "The policies of one pod are compiled in a quarter of a millisecond; the rest of the time goes into seeing that the"
    " 999 others are the very same as before, 2 µs each. The next step is to be told which pods an edit has reached,"
    " instead of looking at all of them."
)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Run:
    """CPU seconds of each stage, and how many pods' snapshots were made anew."""

    load: float
    resolve: float
    plan: float
    compile: float
    changed: int

    @property
    def seconds(self) -> float:
        """All stages."""
        return self.load + self.resolve + self.plan + self.compile


@dataclass(frozen=True, slots=True)
class Figures:
    """CPU seconds for all of one size; `parse_dict` is `one_pod` the other way.

    `memory` in MB at most, of which `imports` were there before any document.
    """

    services: int
    one_pod: float
    parse_dict: float
    whole: Run
    route: Run
    policy: Run
    imports: float
    memory: float


def timed(make: Callable[[], T]) -> tuple[T, float]:
    """What it makes, and the CPU seconds of that."""
    began = time.process_time()
    return make(), time.process_time() - began


class Bundle:
    """The documents of one size in a folder, taken through the stages again and again as `up` does it."""

    def __init__(self, folder: Path, services: int) -> None:
        self.folder, self.memo = folder, Memo()
        self.where = dirs.of(folder / "state")
        self.places: dict[str, Placement] = {}
        self.snapshots: dict[str, Snapshot] = {}
        compile_input.write(folder, services)

    def run(self) -> Run:
        """All stages once, as for a save: the pods stand where they stood."""
        self.memo.next_round()
        written, load = timed(lambda: stages.read([self.folder], memo=self.memo))
        _, resolve = timed(lambda: stages.meant(written, self.places, self.memo))
        design, plan = timed(
            lambda: stages.designed(written, lambda mesh, _: imagined(self.where, mesh), self.places, self.memo)
        )
        if not self.places:
            self.places = {each.key: each.placement for each in design.plans}
            stages.meant(written, self.places, self.memo)
        made, compiled = timed(lambda: stages.configured(design, self.places, self.memo))
        changed = sum(made[key] is not self.snapshots.get(key) for key in made)
        self.snapshots = made
        return Run(load, resolve, plan, compiled, changed)

    def edited(self, old: str, new: str) -> Run:
        """As `run`, after a line of one service's file was changed; the median of some edits."""
        file = compile_input.service_file(self.folder, 0)
        before = file.read_text(encoding="utf-8")
        made = []
        for edit in range(EDITS):
            edits.edit(file, old, new.format(edit + 1))
            made.append(self.run())
            file.write_text(before, encoding="utf-8")
        self.run()
        return Run(
            median(one.load for one in made),
            median(one.resolve for one in made),
            median(one.plan for one in made),
            median(one.compile for one in made),
            made[-1].changed,
        )


def measured(services: int) -> Figures:
    """All figures of one size."""
    gc.set_threshold(GARBAGE_AFTER)  # as the command line does
    imports = _most_memory()
    with tempfile.TemporaryDirectory(prefix="localmesh-bench-") as name:
        bundle = Bundle(Path(name), services)
        whole = bundle.run()
        mesh, _ = stages.meant(stages.read([bundle.folder], memo=bundle.memo), memo=bundle.memo)
        snapshot, one_pod = timed(lambda: compile_pod(mesh, mesh.pods[0]))
        parse_dict = parsed(snapshot)
        gc.freeze()  # as `up` does after its start
        route, policy = bundle.edited(*ROUTE), bundle.edited(*POLICY)
    return Figures(services, one_pod, parse_dict, whole, route, policy, imports, _most_memory())


def parsed(snapshot: Snapshot) -> float:
    """CPU seconds to make the same bytes of dictionaries that are there already."""
    known = symbol_database.Default()
    made = []
    for url, resources in snapshot.resources.items():
        kind = known.GetSymbol(url.rpartition("/")[2])
        made += [(kind, json_format.MessageToDict(kind.FromString(one.body))) for one in resources.values()]
    _, seconds = timed(lambda: [json_format.ParseDict(said, kind()).SerializeToString() for kind, said in made])
    return seconds


def _most_memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def in_own_process(services: int) -> Figures:
    """The figures of one size, measured by a process of its own."""
    line = [sys.executable, "-m", "bench.compile", str(services)]
    said = json.loads(subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True).stdout)
    runs = {name: Run(**said[name]) for name in ("whole", "route", "policy")}
    return Figures(**{**said, **runs})


def report(made: list[Figures]) -> Report:
    """An edit beside everything at 1,000 services, and what a service costs at the largest size beside that."""
    thousand = next(one for one in made if one.services == 1000)
    largest = made[-1]
    edit, whole = thousand.policy.compile * 1000, thousand.whole.compile * 1000
    as_it_runs = whole / thousand.services
    cost, before = (one.whole.seconds / one.services * 1e6 for one in (largest, thousand))
    one_pod = thousand.one_pod * 1000
    rows = (
        Row(
            what="1,000 services: a pod as it runs here",
            unit="ms",
            ours=as_it_runs,
            ours_is="with what it reaches",
            other=one_pod,
            other_is="with all services",
            ratio=_exactly(as_it_runs / one_pod),
            aim=Aim(25, of_ratio=False),
        ),
        Row(
            what="1,000 services: a pod that is told all of them",
            unit="ms",
            ours=one_pod,
            ours_is="constructors",
            other=thousand.parse_dict * 1000,
            other_is="ParseDict",
            ratio=_exactly(one_pod / thousand.parse_dict / 1000),
            aim=Aim(25, of_ratio=False),
            otherwise=ALL,
        ),
        Row(
            what="1,000 services: an edit of a policy compiled",
            unit="ms",
            ours=edit,
            ours_is="after the edit",
            other=whole,
            other_is="everything",
            ratio=_exactly(edit / whole),
            aim=Aim(1, of_ratio=False),
            otherwise=EDIT,
        ),
        Row(
            what="linear: all stages, a service",
            unit="µs",
            ours=cost,
            ours_is=f"at {largest.services:,}",
            other=before,
            other_is="at 1,000",
            ratio=_exactly(cost / before),
            aim=Aim(1.25),
        ),
    )
    return Report("compile", __doc__ or "", rows, (by_size(made),))


def _exactly(ratio: float) -> Quartiles:
    return Quartiles(ratio, ratio, ratio)


def by_size(made: list[Figures]) -> Table:
    """All stages and edits by size, in ms, and what a service costs."""
    rows: list[tuple[str, Callable[[Figures], float]]] = [
        *_stages("everything", lambda one: one.whole),
        ("  µs for a service", lambda one: one.whole.seconds * 1e6 / one.services),
        ("compile one pod as istiod does: with all services", lambda one: one.one_pod * 1000),
        *_stages("edit of a route", lambda one: one.route),
        *_stages("edit of a policy", lambda one: one.policy),
        ("edit of a policy / everything", lambda one: one.policy.seconds / one.whole.seconds),
        ("  compile alone", lambda one: one.policy.compile / one.whole.compile),
        ("most memory beyond the imports, MB", lambda one: one.memory - one.imports),
    ]
    heading = ("CPU ms unless said, by services", *(f"{one.services:,}" for one in made))
    return Table(heading, tuple((name, *(number(of(one)) for one in made)) for name, of in rows))


def _stages(name: str, of: Callable[[Figures], Run]) -> list[tuple[str, Callable[[Figures], float]]]:
    return [
        (f"{name}: load", lambda one: of(one).load * 1000),
        ("  resolve", lambda one: of(one).resolve * 1000),
        ("  plan", lambda one: of(one).plan * 1000),
        ("  compile", lambda one: of(one).compile * 1000),
        ("  pods compiled", lambda one: of(one).changed),
    ]


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1].isdecimal():  # the process of one size
        print(json.dumps(asdict(measured(int(sys.argv[1])))))
    else:
        command(lambda: report([in_own_process(size) for size in SIZES]))
