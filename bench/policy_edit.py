"""`make bench-policy-edit`: a file is saved; when has every Envoy acknowledged it, and when does a caller see it?

The bundle's own mesh, a caller on one connection that was open all the time. Times count from the moment before the
file is written.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import grpc

from bench.figures import Quartiles, median, number, percentile
from bench.own_mesh import OwnMesh, own_mesh
from bench.report import Aim, Report, Row, Table, command
from clients import caller
from clients.channel import Gateway
from protos.user.v1.user_pb2 import BatchGetUsersRequest

EDITS = 50
PAUSE_SECONDS = 0.1  # between edits: what the last one stirred up is over
LIMIT_SECONDS = 10.0
DEBOUNCE_MS = 100.0  # what istiod waits for before it begins (PILOT_DEBOUNCE_AFTER)
HEADER = 'headers: {response: {set: {x-edit: "%d"}}}'
TIMEOUT = "      timeout: 3s\n"
ALLOWED, WITHHELD = "UserService/BatchGetUsers\n", "UserService/NoSuchMethod\n"
_IN_FORCE = re.compile(r"^(\S+ \S+) INFO .*in force at (\d+) proxies after ([\d.]+) s$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Edit:
    """Seconds from the save: until a caller saw it, until the last ACK, and of that what the change itself took."""

    seen: float
    acked: float
    change: float
    proxies: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What a call showed: the header that the route sets, or that it was denied."""

    header: str
    denied: bool


@dataclass(frozen=True, slots=True)
class Saving:
    """A file, and what it is to say."""

    file: Path
    text: str

    def save(self) -> None:
        """As an editor would."""
        self.file.write_text(self.text, encoding="utf-8")


async def call(gateway: Gateway) -> Seen:
    """One call through the gateway, on the connection that is there."""
    one = gateway.users.BatchGetUsers(BatchGetUsersRequest(), metadata=gateway.metadata(), timeout=LIMIT_SECONDS)
    # An error comes without a message, and then all its headers count as trailing ones.
    headers = {**dict(await one.initial_metadata() or ()), **dict(await one.trailing_metadata() or ())}
    denied = await one.code() is grpc.StatusCode.PERMISSION_DENIED
    return Seen(str(headers.get("x-edit", "")), denied)


async def saved(mesh: OwnMesh, gateway: Gateway, saving: Saving, wanted: Callable[[Seen], bool]) -> Edit:
    """Save it, and call until the answer is as wanted and the log tells of the last acknowledgement."""
    known = len(_IN_FORCE.findall(mesh.log.read_text(encoding="utf-8")))
    began = time.time()
    saving.save()
    seen = await _until(lambda: _sees(gateway, wanted)) - began
    await _until(lambda: _logged(mesh, known))
    at, proxies, change = _IN_FORCE.findall(mesh.log.read_text(encoding="utf-8"))[-1]
    acked = datetime.strptime(at, "%Y-%m-%d %H:%M:%S,%f").astimezone().timestamp() - began
    await asyncio.sleep(PAUSE_SECONDS)
    return Edit(seen, acked, float(change), int(proxies))


def _shows(number: str, seen: Seen) -> bool:
    return seen.header == number


def _denies(denied: bool, seen: Seen) -> bool:
    return seen.denied is denied


async def _sees(gateway: Gateway, wanted: Callable[[Seen], bool]) -> bool:
    return wanted(await call(gateway))


async def _logged(mesh: OwnMesh, known: int) -> bool:
    return len(_IN_FORCE.findall(mesh.log.read_text(encoding="utf-8"))) > known


async def _until(check: Callable[[], Awaitable[bool]]) -> float:
    """The Unix time when it was true for the first time."""
    end = time.monotonic() + LIMIT_SECONDS
    while not await check():
        if time.monotonic() > end:
            raise TimeoutError(f"the edit was not in force within {LIMIT_SECONDS:g} s")
        await asyncio.sleep(0.001)
    return time.time()


async def edits(mesh: OwnMesh) -> dict[str, list[Edit]]:
    """Edits of a VirtualService (a header that a route sets) and of an AuthorizationPolicy (a method, on and off)."""
    routes, security = mesh.deploy / "istio" / "user.yaml", mesh.deploy / "istio" / "security.yaml"
    route_text, policy_text = (file.read_text(encoding="utf-8") for file in (routes, security))
    made: dict[str, list[Edit]] = {"VirtualService": [], "AuthorizationPolicy": []}
    async with caller.operator(mesh.gateway) as gateway:
        for edit in range(1, EDITS + 2):
            text = route_text.replace(TIMEOUT, f"{TIMEOUT}      {HEADER % edit}\n")
            one = await saved(mesh, gateway, Saving(routes, text), partial(_shows, str(edit)))
            made["VirtualService"].append(one)
        for edit in range(1, EDITS + 2):
            deny = edit % 2 == 1
            text = policy_text.replace(ALLOWED, WITHHELD) if deny else policy_text
            one = await saved(mesh, gateway, Saving(security, text), partial(_denies, deny))
            made["AuthorizationPolicy"].append(one)
    return {kind: many[1:] for kind, many in made.items()}  # the first warms up


def report(made: dict[str, list[Edit]]) -> Report:
    """The median and the 99th percentile of each kind of document, beside istiod's debounce alone."""
    rows = [
        Row(
            what=f"{kind}: save to {what}, p{percent}",
            unit="ms",
            ours=percentile(times, percent),
            ours_is="here",
            other=DEBOUNCE_MS,
            other_is="istiod's debounce alone",
            ratio=Quartiles(*(percentile(times, percent) / DEBOUNCE_MS,) * 3),
            aim=Aim(limit, of_ratio=False),
        )
        for kind, many in made.items()
        for what, times in (
            ("last ACK", [edit.acked * 1000 for edit in many]),
            ("seen by a caller", [edit.seen * 1000 for edit in many]),
        )
        for percent, limit in ((50, 10), (99, 50))
    ]
    return Report("policy-edit", __doc__ or "", tuple(rows), (stretches(made),))


def stretches(made: dict[str, list[Edit]]) -> Table:
    """A line for each kind of document and each stretch of the way."""
    ways: dict[str, Callable[[Edit], float]] = {
        "save to last ACK": lambda edit: edit.acked,
        "of it: noticed and read": lambda edit: edit.acked - edit.change,
        "of it: resolved, compiled, sent, ACKed": lambda edit: edit.change,
        "save to seen by a caller": lambda edit: edit.seen,
    }
    rows = [
        (
            f"{kind}: {name}",
            *(number(value * 1000) for value in (median(times), percentile(times, 99), max(times))),
            " or ".join(map(str, sorted({edit.proxies for edit in many}))),
        )
        for kind, many in made.items()
        for name, times in ((name, [of(edit) for edit in many]) for name, of in ways.items())
    ]
    return Table((f"{EDITS} edits each, ms", "p50", "p99", "max", "proxies told"), tuple(rows))


def measured() -> Report:
    """On a mesh of its own."""
    with own_mesh() as mesh:
        mesh.up()
        return report(asyncio.run(edits(mesh)))


if __name__ == "__main__":
    command(measured)
