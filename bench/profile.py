"""`make bench-profile`: where the CPU of one GetUser goes, stage by stage, summing to the total.

Servers that differ by one stage, all up at once: a bare grpc.aio server with a constant reply, then our servicer, then
our interceptors added one by one from the outermost inwards, then the store. A stage is what a server uses more than
the one before it, paired inside each round. 32 calls in flight, no trace recorded, log lines written to a file.
"""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import asyncpg

from bench.figures import median, number, quartiles
from bench.issuer import jwks, metadata
from bench.load import Call, Load
from bench.own_postgres import own_postgres
from bench.processes import ROOT, folder, python, running
from bench.report import Report, Row, Table, command
from bench.rounds import Rounds, cpu_us, middle, paired, ratio
from protos.user.v1.user_pb2 import GetUserRequest, User

CALLS, IN_FLIGHT, ROUNDS = 400, 32, 25
STAGES = {  # what each server adds to the one before it
    "bare": "grpc.aio and the messages",
    "servicer": "our servicer: ids, timestamps, the reply",
    "chain": "one interceptor for all layers",
    "tracing": "tracing: the context of a call that is not recorded",
    "mapped errors": "errors to statuses",
    "metrics": "metrics",
    "access log": "the access log, its writing included",
    "replica headers": "x-pod, x-version",
    "deadlines": "deadlines",
    "auth": "the token, remembered",
    "validation": "protovalidate",
    "store": "the store: asyncpg and the gathering of ids",
}
USER = (
    "insert into users (name, email, name_key, email_key) values ('ada', 'ada@x.org', 'ada', 'ada@x.org') returning *"
)


def measured() -> Report:
    """All servers at once."""
    with own_postgres() as postgres, folder() as where, ExitStack() as stack:
        url = postgres.new_database("users", ROOT / "services" / "user" / "migrations")
        reply = asyncio.run(_user(url))
        call = Call(
            "/user.v1.UserService/GetUser",
            GetUserRequest(id=reply.id).SerializeToString(),
            reply.SerializeToString(),
            metadata(sampled=False),
        )
        loads = {}
        for stage in STAGES:
            (where / stage).mkdir()
            pid = stack.enter_context(_server(stage, where / stage, reply, url))
            loads[stage] = Load(f"unix:{where}/{stage}/grpc", call, pids=[pid])
            stack.callback(loads[stage].close)
        bursts = {stage: lambda load=load: load.burst(CALLS, IN_FLIGHT) for stage, load in loads.items()}
        return report(paired(bursts, ROUNDS))


@contextmanager
def _server(stage: str, where: Path, reply: User, url: str) -> Iterator[int]:
    """The server that ends with this stage."""
    (where / "reply").write_bytes(reply.SerializeToString())
    (where / "jwks.json").write_text(jwks(), encoding="utf-8")
    address = f"unix:{where}/grpc"
    if stage == "bare":
        line = python("bench.echo", address, reply.SerializeToString().hex())
    elif stage == "store":
        line = python("bench.profile_server", "validation", str(where), url)
    else:
        line = python("bench.profile_server", stage, str(where))
    with running(line, accepts=address, log=where / "log") as pid:
        yield pid


async def _user(url: str) -> User:
    """A user who is there, as the service tells of one."""
    connection = await asyncpg.connect(url)
    row = await connection.fetchrow(USER)
    await connection.close()
    user = User(id=str(row["id"]), name=row["name"], email=row["email"], etag=str(row["version"]))
    user.create_time.FromDatetime(row["created_at"])
    user.update_time.FromDatetime(row["updated_at"])
    return user


def report(rounds: Rounds) -> Report:
    """A line for each stage."""
    names = list(STAGES)
    whole, bare = names[-1], names[0]
    lines, told = [], 0.0
    for before, name in zip([None, *names], names, strict=False):
        each = [sample.cpu_us for sample in rounds[name]]
        if before is not None:
            each = [now - then.cpu_us for now, then in zip(each, rounds[before], strict=True)]
        spread = quartiles(each)
        told += spread.middle
        lines.append(
            (STAGES[name], number(spread.middle), f"{number(spread.low)} .. {number(spread.high)}", number(told))
        )
    total = median(sample.cpu_us for sample in rounds[whole])
    lines.append(("the last server as a whole", number(total), "", ""))
    row = Row(
        what="GetUser without proxies",
        unit="µs",
        ours=total,
        ours_is="all stages",
        other=middle(rounds, bare, cpu_us),
        other_is="grpc.aio alone",
        ratio=ratio(rounds, whole, bare, cpu_us),
    )
    heading = ("CPU of one GetUser", "µs", "quartiles", "sum")
    return Report("profile", __doc__ or "", (row,), (Table(heading, tuple(lines)),))


if __name__ == "__main__":
    command(measured)
