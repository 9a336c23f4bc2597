"""`make bench-mesh-cost`: what a GetUser costs, from a bare grpc.aio server to the whole way through the gateway.

Bare: grpc.aio with the contract's stubs and a constant reply, no interceptor and no store. Direct: the app of a pod of
the running bundle at its own Unix socket, with all its interceptors (traces, errors, metrics, access log, deadlines,
token, validation) and PostgreSQL behind it. Sidecars: the same app through the caller's Envoy and its own, under mTLS.
Gateway: from outside, so three Envoys. All four send the same request and get the same 91 bytes or so. The proxies
begin a trace for one call in a hundred, as one does in production; a call that nobody records still carries its trace
context. `traced` is direct with each call recorded. A hop is what both sidecars use, less what the app's sidecar uses
for the app's queries, which it carries in any case.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from bench import cpu
from bench.figures import median, number, quartiles
from bench.issuer import metadata
from bench.load import Call, Load
from bench.own_mesh import OwnMesh, own_mesh
from bench.pods import of_pod, processes
from bench.processes import folder, python, running
from bench.report import Aim, Report, Row, Table, command
from bench.rounds import HEADING, Rounds, Sample, cpu_us, medians, middle, paired, ratio
from clients import caller
from protos.user.v1.user_pb2 import GetUserRequest, User

GET_USER = "/user.v1.UserService/GetUser"
CONNECTIONS = 4
PARTS = ("app", "our sidecar", "their sidecar", "gateway", "database")
SHAPES = {"32 in flight": (1_000, 32), "1 in flight": (200, 1)}  # calls and how many of them at once
# One replica of one version, so that all ways end in the same process; and time enough on a machine that is busy.
ROUTES = (
    ("weight: 90", "weight: 100"),
    ("weight: 10\n", "weight: 0\n"),
    ("timeout: 3s", "timeout: 30s"),
    ("perTryTimeout: 900ms", "perTryTimeout: 10s"),
)


@dataclass(frozen=True, slots=True)
class Way:
    """One way to the same answer: where it begins, the processes on it by what they are, and whose CPU counts."""

    target: str
    call: Call
    parts: Mapping[str, Sequence[int]]
    counts: Sequence[str] = ("app",)


def edited(mesh: OwnMesh) -> None:
    """Before it starts."""
    for old, new in ROUTES:
        mesh.edit("istio/user.yaml", old, new)
    mesh.edit("k8s/user.yaml", "  replicas: 2\n", "  replicas: 1\n")
    mesh.sample()


async def asked(mesh: OwnMesh) -> Call:
    """GetUser of a user who is there, and the answer that a real client gets."""
    user = await caller.ensured(mesh.gateway, "ada")
    request = GetUserRequest(id=user.id)
    async with caller.operator(mesh.gateway) as gateway:
        reply: User = await gateway.users.GetUser(request, metadata=gateway.metadata(), timeout=10)
    return Call(GET_USER, request.SerializeToString(), reply.SerializeToString(), metadata(), mesh.gateway)


@contextmanager
def ways(mesh: OwnMesh, call: Call, where: Path) -> Iterator[dict[str, Way]]:
    """All of them, up at once."""
    sockets = {pod["name"]: pod["sockets"] for pod in mesh.status()["pods"]}
    found = processes(mesh)
    app = [one.pid for one in found if one.pod == "user-v1-0" and one.program == "services.user"]
    chat = next(one.pid for one in found if one.pod == "chat-0" and one.program == "services.chat")
    envoys = {
        pod: [one.pid for one in found if one.pod == pod and "envoy" in one.program]
        for pod in ("user-v1-0", "chat-0", "gateway-0")
    }
    if not (app and all(envoys.values())):
        raise RuntimeError(f"not all processes were found among {found}")
    database = {"database": of_pod(found, "postgres-0")}
    # The app's way to its database leads through its sidecar too.
    ours = {"app": app, "their sidecar": envoys["user-v1-0"], **database}
    named = replace(call, authority="user.mesh.svc.cluster.local:50051")
    direct = f"unix:{sockets['user-v1-0']}/grpc.sock"
    unrecorded = replace(named, metadata=metadata(sampled=False))
    echo = f"unix:{where}/echo"
    with running(python("bench.echo", echo, call.reply.hex()), accepts=echo, log=where / "log") as bare:
        yield {
            "bare": Way(echo, named, {"app": [bare]}),
            "direct": Way(direct, unrecorded, ours),
            "traced": Way(direct, named, ours),
            "sidecars": Way(
                _variable(chat, "USER_TARGET"), named, {"our sidecar": envoys["chat-0"], **ours}, PARTS[:3]
            ),
            "gateway": Way(mesh.gateway, call, {"gateway": envoys["gateway-0"], **ours}, PARTS[:4]),
        }


class Measured:
    """Bursts along the ways; `parts` has the CPU of each kind of process by itself."""

    def __init__(self) -> None:
        self.parts: dict[tuple[str, str], list[float]] = {}

    def burst(self, name: str, way: Way, load: Load, shape: tuple[int, int]) -> Sample:
        """One burst of so many calls, and so many of them at once."""
        before = {part: cpu.spent(pids) for part, pids in way.parts.items()}
        sample = load.burst(*shape)
        used = {part: cpu.seconds_between(before[part], cpu.spent(pids)) for part, pids in way.parts.items()}
        for part, seconds in used.items():
            self.parts.setdefault((name, part), []).append(seconds / sample.calls * 1e6)
        return replace(sample, cpu_seconds=sum(used.get(part, 0.0) for part in way.counts))

    def of(self, name: str, part: str) -> list[float]:
        """µs of a call in each round that counts; nothing if the way has no such part."""
        return self.parts.get((name, part), [])[1:]


def measured() -> Report:
    """Both shapes of load on one mesh."""
    with own_mesh() as mesh, folder() as where:
        edited(mesh)
        mesh.up()
        call = asyncio.run(asked(mesh))
        with ways(mesh, call, where) as found, ExitStack() as stack:
            shapes: dict[str, tuple[Rounds, Measured]] = {}
            loads = {}
            for name, way in found.items():
                loads[name] = Load(way.target, way.call, pids=(), connections=CONNECTIONS)
                stack.callback(loads[name].close)
            for shape, size in SHAPES.items():
                made = Measured()
                bursts = {name: partial(made.burst, name, way, loads[name], size) for name, way in found.items()}
                shapes[shape] = (paired(bursts), made)
    return report(shapes)


def report(shapes: dict[str, tuple[Rounds, Measured]]) -> Report:
    """The rows of the issue with 32 calls in flight, and a table of each shape."""
    rounds, made = shapes["32 in flight"]
    bare = middle(rounds, "bare", cpu_us)
    ours, theirs = made.of("sidecars", "our sidecar"), made.of("sidecars", "their sidecar")
    store = made.of("direct", "their sidecar")
    hop = [one + other - queries for one, other, queries in zip(ours, theirs, store, strict=True)]
    direct = made.of("direct", "app")
    rows = [
        Row(
            what="our service, direct",
            unit="µs",
            ours=middle(rounds, "direct", cpu_us),
            ours_is="all interceptors and the store",
            other=bare,
            other_is="bare grpc.aio",
            ratio=ratio(rounds, "direct", "bare", cpu_us),
            aim=Aim(1.35),
            otherwise=SERVICE,
        ),
        Row(
            what="a mesh hop",
            unit="µs",
            ours=median(hop),
            ours_is="both sidecars",
            other=median(direct),
            other_is="our service",
            ratio=quartiles(one / other for one, other in zip(hop, direct, strict=True)),
            aim=Aim(200, of_ratio=False),
            otherwise=HOP,
        ),
        Row(
            what="the whole way through the gateway",
            unit="µs",
            ours=middle(rounds, "gateway", cpu_us),
            ours_is="three Envoys and our service",
            other=bare,
            other_is="bare grpc.aio",
            ratio=ratio(rounds, "gateway", "bare", cpu_us),
        ),
    ]
    return Report("mesh-cost", __doc__ or "", tuple(rows), tuple(shown(shape, *each) for shape, each in shapes.items()))


SERVICE = (
    "What our service adds to grpc.aio is its query, our servicer, trace context, metrics, log line and token, some 10 "
    "to 50 µs each (profile): none of them is a waste, together they are more Python than the aim has room for. The "
    "next step is gRPC's synchronous server with two threads for the unary methods: in an experiment it took 0.55 to "
    "0.7 of grpc.aio's CPU, which is as much as all our layers together."
)
HOP = (
    "An Envoy that only routes under mTLS took 80 to 100 µs a call in an experiment here; the rest is what the bundle "
    "asks of it. Without the JSON access log a hop takes 0.87 of the CPU (0.81..0.95). The next step is to leave out "
    "authorization and statistics in the same way, and to log only what failed where nobody reads the rest."
)


def shown(shape: str, rounds: Rounds, made: Measured) -> Table:
    """All figures of one shape, and the CPU of each part."""
    rows = [
        (
            name,
            *map(number, medians(rounds, name)),
            *(number(median(found)) if (found := made.of(name, part)) else "" for part in PARTS),
        )
        for name in rounds
    ]
    return Table((shape, *HEADING, *PARTS), tuple(rows))


def _variable(pid: int, name: str) -> str:
    """Of a process's environment."""
    entries = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return next(entry.partition("=")[2] for entry in entries if entry.startswith(f"{name}="))


if __name__ == "__main__":
    command(measured)
