"""`make bench-startup`: from an installed environment to the first chat message delivered through the gateway.

Cold: no data folder, so PostgreSQL's files and the databases are made. Warm: the data of the run before is there. The
message counts as delivered when a reader in the room has it; both ends are clients of the gateway, and a user is made
first if there is none. The breakdown is the mesh's own (`localmesh status --json`); its parts overlap, so it says when
each ended.
"""

import asyncio
import os
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from bench import cpu, pods
from bench.figures import median, number, quartiles
from bench.own_mesh import OwnMesh, own_mesh
from bench.report import Aim, Report, Row, Table, command
from clients import caller
from clients.room import RoomSession, Said

RUNS = 5
LIMIT_SECONDS = 30.0
TEXT = "the first message"
# The processes of a pod: `mesh/user-v1-0 envoy: ready`.
_PROCESS = re.compile(r"^(?P<pod>\S+) (?P<process>\S+): (?P<what>spawn|ready)$")


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the start, in seconds after its beginning."""

    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class Start:
    """One start: seconds until `up` returned, until the first message was delivered, and its parts."""

    ready: float
    delivered: float
    parts: Mapping[str, Part]
    used: Mapping[str, float]  # CPU seconds of the processes that run then, by what they are


async def start(mesh: OwnMesh) -> Start:
    """Start the mesh, and say something in it."""
    began = time.time()
    mesh.up()
    ready = time.time() - began
    async with asyncio.timeout(LIMIT_SECONDS):
        await _first_message(mesh)
    delivered = time.time() - began
    used = _used(mesh)
    phases = [
        (each["name"], Part(each.get("begin_seconds", 0.0), each.get("begin_seconds", 0.0) + each.get("seconds", 0.0)))
        for each in mesh.status()["phases"]
    ]
    return Start(ready, delivered, dict(_grouped(phases)), used)


def _used(mesh: OwnMesh) -> dict[str, float]:
    """CPU seconds of the processes that run now, by what they are."""
    found: dict[str, float] = defaultdict(float)
    for one in pods.processes(mesh):
        kind = "postgres" if one.program.startswith("postgres") else one.program
        found[kind] += cpu.own(one.pid)
    return dict(found)


async def _first_message(mesh: OwnMesh) -> None:
    """Returns when a reader has what was posted."""
    async with (
        caller.person(mesh.gateway, "ada") as gateway,
        RoomSession(gateway, "start", resume_after=0) as reader,
        RoomSession(gateway, "start", resume_after=0) as writer,
    ):
        posted = await writer.post(TEXT)
        async for event in reader:
            if isinstance(event, Said) and event.message_id == posted.message_id:
                if event.text != TEXT:
                    raise RuntimeError(f"another text was delivered: {event.text!r}")
                return


def _grouped(phases: Iterable[tuple[str, Part]]) -> Iterator[tuple[str, Part]]:
    """The stages of the control plane, and the processes by what they are."""
    kinds: dict[str, list[Part]] = {}
    for name, part in phases:
        found = _PROCESS.match(name)
        if found is None:
            yield name, part
        elif found["what"] == "spawn":
            if part.ended - part.began > 0.1:  # what is prepared before it: initdb, roles
                kinds.setdefault(f"{found['process']}: prepared and spawned", []).append(part)
        else:
            kind = "Envoys" if found["process"] == "envoy" else found["process"]
            kinds.setdefault(f"{kind}: ready", []).append(part)
    for kind, parts in kinds.items():
        yield kind, Part(min(one.began for one in parts), max(one.ended for one in parts))


async def starts() -> dict[str, list[Start]]:
    """Each run in folders of its own: cold, then warm. The first run brings the programs into the page cache."""
    made: dict[str, list[Start]] = {"cold": [], "warm": []}
    for run in range(RUNS + 1):
        with own_mesh() as mesh:
            cold = await start(mesh)
            mesh.down()
            warm = await start(mesh)
        if run:
            made["cold"].append(cold)
            made["warm"].append(warm)
    return made


def report(made: dict[str, list[Start]]) -> Report:
    """Both kinds of start, beside each other."""
    cold, warm = ([one.delivered for one in made[kind]] for kind in ("cold", "warm"))
    shared = [a / b for a, b in zip(cold, warm, strict=True)]
    otherwise = _what_takes_long(made["warm"])
    rows = (
        Row(
            what="a cold start to the first message",
            unit="s",
            ours=median(cold),
            ours_is="cold",
            other=median(warm),
            other_is="warm",
            ratio=quartiles(shared),
            aim=Aim(3.0, of_ratio=False),
            otherwise=otherwise,
        ),
        Row(
            what="a warm start to the first message",
            unit="s",
            ours=median(warm),
            ours_is="warm",
            other=median(cold),
            other_is="cold",
            ratio=quartiles(1 / one for one in shared),
            aim=Aim(1.5, of_ratio=False),
            otherwise=otherwise,
        ),
    )
    tables = [breakdown(kind, many) for kind, many in made.items()]
    return Report("startup", __doc__ or "", rows, (*tables, cpu_seconds(made)))


def _what_takes_long(made: list[Start]) -> str:
    """Why these starts are no shorter, and the next step."""
    cores = os.cpu_count() or 1
    total = median(sum(one.used.values()) for one in made)
    services = median(sum(used for kind, used in one.used.items() if kind.startswith("services.")) for one in made)
    imports = median(one.parts["interpreter and imports"].ended for one in made)
    return (
        f"Nothing can start for {number(imports)} s, in which the control plane is loaded: half of that is the making"
        f" of its 450 dataclasses. The processes use {number(total)} s of CPU in all, for which {cores} cores need"
        f" {number(total / cores)} s; {number(services)} s of it are the five services, which do little else than"
        " import (a quarter of it protovalidate, which brings a protobuf runtime of its own; asyncio and gRPC,"
        " cryptography, the OpenTelemetry SDK). The next step would be to import once and fork for each pod, and then a"
        " pod would no longer be a program as it is in a cluster."
    )


def cpu_seconds(made: dict[str, list[Start]]) -> Table:
    """What the processes use until the first message is delivered; those that have ended by then are not in it."""
    kinds = dict.fromkeys(kind for many in made.values() for one in many for kind in one.used)
    rows = [
        (kind, *(number(median(one.used.get(kind, 0.0) for one in many)) for many in made.values())) for kind in kinds
    ]
    total = ("all", *(number(median(sum(one.used.values()) for one in many)) for many in made.values()))
    return Table(("CPU seconds until the first message", *made), (*rows, total))


def breakdown(kind: str, made: list[Start]) -> Table:
    """The medians of one kind of start."""
    names = list(dict.fromkeys(name for one in made for name in one.parts))
    middle = {name: Part(*(median(times) for times in zip(*_times(made, name), strict=True))) for name in names}
    rows = [
        (name, number(part.began), number(part.ended), number(part.ended - part.began))
        for name, part in sorted(middle.items(), key=lambda each: each[1].ended)
    ]
    ready, delivered = median(one.ready for one in made), median(one.delivered for one in made)
    rows.append(("`localmesh up` returned", "0", number(ready), number(ready)))
    rows.append(("first message delivered", number(ready), number(delivered), number(delivered - ready)))
    return Table((f"{kind} start, median of {len(made)} (s)", "begins", "ends", "takes"), tuple(rows))


def _times(made: list[Start], name: str) -> list[tuple[float, float]]:
    return [(part.began, part.ended) for one in made if (part := one.parts.get(name)) is not None]


if __name__ == "__main__":
    command(lambda: report(asyncio.run(starts())))
