"""`make bench-policy-edit`: a file is saved; when has every Envoy acknowledged it, and when does a caller see it?

Two meshes of the bundle are edited in turns: as it is, and with istiod's debounce, which waits until nothing was saved
for 100 ms (istiod on kind, measured: 0.63 s at the median from the start of `kubectl apply` for a VirtualService, and
for an AuthorizationPolicy 0.75 s, and up to 45 s on connections that were open already). A caller of each has one
connection open all the time and sees it there; then on connections that are made for a call each. A policy acts at
several proxies, and a call sees one of them: all obey by the last ACK. Times count from the moment before the file is
written; "seen" includes the call that sees it.
"""

import asyncio
import re
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import grpc

from bench import cpu
from bench.figures import Quartiles, median, number, percentile, quartiles
from bench.own_mesh import UP_SECONDS, OwnMesh, own_mesh
from bench.processes import ROOT, ended, python
from bench.report import Aim, Report, Row, Table, command
from clients import caller
from clients.channel import Gateway
from protos.user.v1.user_pb2 import BatchGetUsersRequest

EDITS = 30
PAUSE_SECONDS = 0.1  # between edits: what the last one stirred up is over
LIMIT_SECONDS = 10.0
HERE, DEBOUNCED = "here", "debounced 100 ms"
KINDS = ("VirtualService", "AuthorizationPolicy")
HEADER = 'headers: {response: {set: {x-edit: "%d"}}}'
TIMEOUT = "      timeout: 3s\n"
ALLOWED, WITHHELD = "UserService/BatchGetUsers\n", "UserService/NoSuchMethod\n"
NEXT = (
    "What is left is Python, in four parts of a similar size: the folders are looked through and the changed document"
    " is decoded; what it reaches is resolved; that is compiled; that is sent, and the Envoys answer within 2 ms or so."
    " A VirtualService costs twice what a policy does, since all of its routes are made again, for each port and"
    " gateway that they are in force at. The p99 of so few edits is the slowest of them. The next step is to keep what"
    " each single route was made into."
)
SEEN = "See the last ACK; the call that sees it takes 3 ms more."
TRIED = (
    "Kept: a document whose text and place are as before is the same record, a step of resolving is made again only"
    " where the documents that it is handed differ, a policy makes no listener anew, replicas share what they have"
    " alike: the control plane's CPU for an edit of a VirtualService 0.56, of an AuthorizationPolicy 0.25 (paired, all"
    " together).",
    "Kept: whether more files are saved together is waited for after the reading, not before it: 1 ms.",
    "What a target's requests are hashed by found once for all routes to it: 0.93 of resolving, 0.98 of an edit.",
    "A YAML loader that gives no tags, as nobody reads them: 0.75 of composing, 0.98 of an edit.",
    "Records that are equal only at the same place in a file, so that none has to be the very same: then nobody could"
    " tell any more that a document which has moved says what it said before (`localmesh policies`).",
    "Collections of garbage are not what makes an edit slow: in 60 edits none took longer than 0.4 ms.",
)
_IN_FORCE = re.compile(r"^(\S+ \S+) INFO .*in force at (\d+) proxies after ([\d.]+) s$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Edit:
    """Milliseconds from the save: until a caller saw it, on a connection that was open and on a new one, and until the
    last ACK; of that what the change itself took; and the CPU milliseconds of the control plane for all of it."""

    seen: float
    seen_anew: float
    acked: float
    change: float
    cpu: float
    proxies: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What a call showed: the header that the route sets, or that it was denied."""

    header: str
    denied: bool


@dataclass(frozen=True, slots=True)
class Caller:
    """Who edits a mesh and calls it, on a connection that stays open."""

    mesh: OwnMesh
    gateway: Gateway
    texts: dict[str, str]  # of the files, as they were, by kind
    control: int  # the process id of the control plane

    async def edit(self, kind: str, index: int) -> Edit:
        """One edit: a header that a route sets, or a method that is allowed or not."""
        text, wanted = _edited(kind, self.texts[kind], index)
        known = len(_IN_FORCE.findall(self._log))
        used, began = self._used, time.time()
        _file(self.mesh, kind).write_text(text, encoding="utf-8")
        seen = await _until(lambda: self._sees(self.gateway, wanted))
        anew = await _until(lambda: self._sees_anew(wanted))
        await _until(lambda: self._logged(known))
        at, proxies, change = _IN_FORCE.findall(self._log)[-1]
        acked = datetime.strptime(at, "%Y-%m-%d %H:%M:%S,%f").astimezone().timestamp()
        await asyncio.sleep(PAUSE_SECONDS)
        seen_ms, anew_ms, acked_ms = ((when - began) * 1000 for when in (seen, anew, acked))
        cpu_ms = cpu.seconds_between(used, self._used) * 1000
        return Edit(seen_ms, anew_ms, acked_ms, float(change) * 1000, cpu_ms, int(proxies))

    @property
    def _used(self) -> cpu.Spent:
        """By the threads of the control plane, without its children, which are the whole mesh."""
        own = {int(thread.name) for thread in Path(f"/proc/{self.control}/task").iterdir()}
        return {thread: used for thread, used in cpu.spent([self.control]).items() if thread in own}

    @property
    def _log(self) -> str:
        return self.mesh.log.read_text(encoding="utf-8")

    async def _sees(self, gateway: Gateway, wanted: Callable[[Seen], bool]) -> bool:
        return wanted(await call(gateway))

    async def _sees_anew(self, wanted: Callable[[Seen], bool]) -> bool:
        async with caller.operator(self.mesh.gateway) as another:
            return await self._sees(another, wanted)

    async def _logged(self, known: int) -> bool:
        return len(_IN_FORCE.findall(self._log)) > known


async def call(gateway: Gateway) -> Seen:
    """One call through the gateway, on the connection that is there."""
    one = gateway.users.BatchGetUsers(BatchGetUsersRequest(), metadata=gateway.metadata(), timeout=LIMIT_SECONDS)
    # An error comes without a message, and then all its headers count as trailing ones.
    headers = {**dict(await one.initial_metadata() or ()), **dict(await one.trailing_metadata() or ())}
    denied = await one.code() is grpc.StatusCode.PERMISSION_DENIED
    return Seen(str(headers.get("x-edit", "")), denied)


def _file(mesh: OwnMesh, kind: str) -> Path:
    return mesh.deploy / "istio" / ("user.yaml" if kind == "VirtualService" else "security.yaml")


def _edited(kind: str, text: str, index: int) -> tuple[str, Callable[[Seen], bool]]:
    """What the file says then, and how one sees that it is obeyed."""
    if kind == "VirtualService":
        return text.replace(TIMEOUT, f"{TIMEOUT}      {HEADER % index}\n"), partial(_shows, str(index))
    deny = index % 2 == 1
    return (text.replace(ALLOWED, WITHHELD) if deny else text), partial(_denies, deny)


def _shows(header: str, seen: Seen) -> bool:
    return seen.header == header


def _denies(denied: bool, seen: Seen) -> bool:
    return seen.denied is denied


async def _until(check: Callable[[], Awaitable[bool]]) -> float:
    """The Unix time when it was true for the first time."""
    end = time.monotonic() + LIMIT_SECONDS
    while not await check():
        if time.monotonic() > end:
            raise TimeoutError(f"the edit was not in force within {LIMIT_SECONDS:g} s")
        await asyncio.sleep(0.001)
    return time.time()


@contextmanager
def debounced_mesh() -> Iterator[OwnMesh]:
    """A mesh of its own, running under `bench.debounced`."""
    with own_mesh() as mesh:
        mesh.sample()
        mesh.log.parent.mkdir(parents=True)
        line = python("bench.debounced", "--state", str(mesh.state), "up", "--foreground", str(mesh.deploy))
        with mesh.log.open("wb") as log:
            process = subprocess.Popen(line, cwd=ROOT, stdout=log, stderr=log)
        try:
            end = time.monotonic() + UP_SECONDS
            while b"Every pod is ready" not in mesh.log.read_bytes():
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"the mesh does not start:\n{mesh.log.read_text()[-2000:]}")
                time.sleep(0.1)
            yield mesh
        finally:
            ended(process)


@asynccontextmanager
async def calling(mesh: OwnMesh) -> AsyncIterator[Caller]:
    """Somebody who calls this mesh."""
    texts = {kind: _file(mesh, kind).read_text(encoding="utf-8") for kind in KINDS}
    async with caller.operator(mesh.gateway) as gateway:
        yield Caller(mesh, gateway, texts, int(mesh.status()["process"]))


async def edits(meshes: dict[str, OwnMesh]) -> dict[tuple[str, str], list[Edit]]:
    """Edits of both kinds in all meshes, in turns; by kind and mesh. The first of each warms up and does not count."""
    made: dict[tuple[str, str], list[Edit]] = {(kind, name): [] for kind in KINDS for name in meshes}
    async with AsyncExitStack() as stack:
        callers = {name: await stack.enter_async_context(calling(mesh)) for name, mesh in meshes.items()}
        for kind in KINDS:
            for index in range(1, EDITS + 2):
                for name, one in callers.items():
                    made[kind, name].append(await one.edit(kind, index))
    return {key: many[1:] for key, many in made.items()}


WAYS: dict[str, Callable[[Edit], float]] = {
    "last ACK": lambda edit: edit.acked,
    "seen on an open connection": lambda edit: edit.seen,
    "seen on a new connection": lambda edit: edit.seen_anew,
}
PARTS: dict[str, Callable[[Edit], float]] = {
    "noticed and read": lambda edit: edit.acked - edit.change,
    "resolved, compiled, sent, ACKed": lambda edit: edit.change,
    "CPU of the control plane": lambda edit: edit.cpu,
}


def report(made: dict[tuple[str, str], list[Edit]]) -> Report:
    """The median and the 99th percentile of each kind of document and way to see it."""
    rows = []
    for kind in KINDS:
        ours, other = made[kind, HERE], made[kind, DEBOUNCED]
        for what, of in WAYS.items():
            for percent, limit in ((50, 10), (99, 50)):
                ratio = quartiles(of(one) / of(two) for one, two in zip(ours, other, strict=True))
                one, two = (percentile(map(of, many), percent) for many in (ours, other))
                rows.append(
                    Row(
                        what=f"{kind}: save to {what}, p{percent}",
                        unit="ms",
                        ours=one,
                        ours_is=HERE,
                        other=two,
                        other_is=DEBOUNCED,
                        ratio=ratio if percent == 50 else Quartiles(*(one / two,) * 3),
                        aim=Aim(limit, of_ratio=False),
                        otherwise=NEXT if what == "last ACK" else SEEN,
                    )
                )
    return Report("policy-edit", __doc__ or "", tuple(rows), (stretches(made),), TRIED)


def stretches(made: dict[tuple[str, str], list[Edit]]) -> Table:
    """A line for each kind of document, mesh and stretch of the way."""
    rows = [
        (
            f"{kind}, {name}: {what}",
            *map(number, (median(times), percentile(times, 99), max(times))),
            " or ".join(map(str, sorted({edit.proxies for edit in many}))),
        )
        for (kind, name), many in made.items()
        for what, times in ((what, [of(edit) for edit in many]) for what, of in {**PARTS, **WAYS}.items())
    ]
    return Table((f"{EDITS} edits each, ms", "p50", "p99", "max", "proxies told"), tuple(rows))


def measured() -> Report:
    """On two meshes of its own."""
    with own_mesh() as mesh:
        mesh.sample()  # who looks for an edit makes many calls
        mesh.up()  # before the other looks for a free port
        with debounced_mesh() as debounced:
            return report(asyncio.run(edits({HERE: mesh, DEBOUNCED: debounced})))


if __name__ == "__main__":
    command(measured)
