"""`make bench-startup`: from an installed environment to the first answered call through the gateway.

Cold: no data folder, so PostgreSQL's files and the databases are made. Warm: the data of the run before is there. The
breakdown is the mesh's own (`localmesh status --json`); its parts overlap, so it says when each ended.
"""

import asyncio
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import grpc

from bench.figures import median, table
from bench.own_mesh import OwnMesh, own_mesh
from clients import caller, channel
from protos.user.v1.user_pb2 import ListUsersRequest

RUNS = 5
AIM_SECONDS = {"cold": 3.0, "warm": 1.5}
# The processes of a pod: `mesh/user-v1-0 envoy: ready`.
_PROCESS = re.compile(r"^(?P<pod>\S+) (?P<process>\S+): (?P<what>spawn|ready)$")


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the start, in seconds after its beginning."""

    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class Start:
    """One start: seconds until `up` returned, until the first answer, and its parts."""

    ready: float
    answered: float
    parts: Mapping[str, Part]


async def start(mesh: OwnMesh) -> Start:
    """Start the mesh, and make one call."""
    began = time.time()
    mesh.up()
    ready = time.time() - began
    await _first_call(mesh)
    answered = time.time() - began
    phases = [
        (each["name"], Part(each.get("begin_seconds", 0.0), each.get("begin_seconds", 0.0) + each.get("seconds", 0.0)))
        for each in mesh.status()["phases"]
    ]
    return Start(ready, answered, dict(_grouped(phases)))


async def _first_call(mesh: OwnMesh) -> None:
    async with caller.operator(mesh.gateway) as gateway:
        call = gateway.users.ListUsers(
            ListUsersRequest(limit=1), metadata=gateway.metadata(), timeout=channel.UNARY_SECONDS
        )
        async for _ in call:
            pass
        if await call.code() is not grpc.StatusCode.OK:
            raise RuntimeError(f"the first call was answered with {await call.code()}: {await call.details()}")


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
    """Each run in folders of its own: cold, then warm."""
    made: dict[str, list[Start]] = {"cold": [], "warm": []}
    for _ in range(RUNS):
        with own_mesh() as mesh:
            made["cold"].append(await start(mesh))
            mesh.down()
            made["warm"].append(await start(mesh))
    return made


def shown(kind: str, made: list[Start]) -> str:
    """The medians of one kind of start."""
    names = list(dict.fromkeys(name for one in made for name in one.parts))
    middle = {
        name: Part(*(median(times) for times in zip(*_times(made, name), strict=True))) for name in names
    }  # fmt: skip
    rows = [
        (name, f"{part.began:.2f}", f"{part.ended:.2f}", f"{part.ended - part.began:.2f}")
        for name, part in sorted(middle.items(), key=lambda each: each[1].ended)
    ]
    ready, answered = median(one.ready for one in made), median(one.answered for one in made)
    rows.append(("`localmesh up` returned", "0.00", f"{ready:.2f}", f"{ready:.2f}"))
    rows.append(("first call answered", f"{ready:.2f}", f"{answered:.2f}", f"{answered - ready:.2f}"))
    aim = AIM_SECONDS[kind]
    spread = ", ".join(f"{one.answered:.2f}" for one in sorted(made, key=lambda one: one.answered))
    heading = (f"{kind} start, median of {len(made)} (s)", "begins", "ends", "takes")
    return (
        f"{table(heading, rows)}\n{kind}: {answered:.2f} s, {answered / aim:.2f} of the aim ({aim:g} s); all: {spread}"
    )


def _times(made: list[Start], name: str) -> list[tuple[float, float]]:
    return [(part.began, part.ended) for one in made if (part := one.parts.get(name)) is not None]


def main() -> None:
    """Print the tables."""
    for kind, many in asyncio.run(starts()).items():
        print(f"{shown(kind, many)}\n")


if __name__ == "__main__":
    main()
