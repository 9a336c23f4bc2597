"""`make bench-profile`: where the CPU of one GetUser goes, stage by stage, summing to the total.

One process that answers the same call in stages: grpc.aio with a constant reply, then our servicer, then our
interceptors added one by one from the outermost inwards, then the store. A stage is what its calls use more than those
of the one before it; the quartiles are of the differences inside each round. 32 calls in flight, no trace recorded, log
lines written to a file. A stage may show less than nothing: where calls wait a moment longer, grpc.aio handles more of
them at once, and each of them costs less.
"""

import asyncio
import itertools
from contextlib import ExitStack
from functools import partial

import asyncpg

from bench.figures import number, quartiles
from bench.issuer import jwks, metadata
from bench.load import Call, Load
from bench.own_postgres import own_postgres
from bench.processes import ROOT, folder, python, running
from bench.report import Report, Row, Table, command
from bench.rounds import Rounds, cpu_us, middle, paired, ratio
from protos.user.v1.user_pb2 import GetUserRequest, User

CALLS, IN_FLIGHT, ROUNDS = 400, 32, 17
STAGES = {  # what each adds to the one before it
    "bare": "grpc.aio and the messages",
    "servicer": "our servicer: ids, timestamps, the reply",
    "tracing": "the chain of layers, and a trace context that is not recorded",
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
    """All stages in turn."""
    with own_postgres() as postgres, folder() as where, ExitStack() as stack:
        url = postgres.new_database("users", ROOT / "services" / "user" / "migrations")
        user = asyncio.run(_user(url))
        request, reply = GetUserRequest(id=user.id).SerializeToString(), user.SerializeToString()
        (where / "reply").write_bytes(reply)
        (where / "jwks.json").write_text(jwks(), encoding="utf-8")
        target = f"unix:{where}/grpc"
        line = python("bench.profile_server", str(where), url)
        pid = stack.enter_context(running(line, accepts=target, log=where / "log"))
        bursts = {}
        for stage in STAGES:
            call = Call(f"/{stage}/GetUser", request, reply, metadata(sampled=False))
            load = Load(target, call, pids=[pid])
            stack.callback(load.close)
            bursts[stage] = partial(load.burst, CALLS, IN_FLIGHT)
        return report(paired(bursts, ROUNDS))


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
    first, last = names[0], names[-1]
    medians = {name: middle(rounds, name, cpu_us) for name in names}
    lines = [(STAGES[first], number(medians[first]), "", number(medians[first]))]
    for before, name in itertools.pairwise(names):
        spread = quartiles(now.cpu_us - then.cpu_us for now, then in zip(rounds[name], rounds[before], strict=True))
        more = number(medians[name] - medians[before])
        lines.append((STAGES[name], more, f"{number(spread.low)} .. {number(spread.high)}", number(medians[name])))
    row = Row(
        what="GetUser without proxies",
        unit="µs",
        ours=medians[last],
        ours_is="all stages",
        other=medians[first],
        other_is="grpc.aio alone",
        ratio=ratio(rounds, last, first, cpu_us),
    )
    heading = ("CPU of one GetUser", "µs", "quartiles", "sum")
    return Report("profile", __doc__ or "", (row,), (Table(heading, tuple(lines)),), TRIED)


# CPU of a GetUser after and before, from paired rounds as above on a busy machine, with quartiles.
TRIED = (
    "Kept: a call that its caller does not record makes no span of its own, only its context: 0.91 (0.87..0.94).",
    "Kept: ids that are asked for while a query is on its way go into the next one: five times the gets of a pool.",
    "Kept from before: tokens remembered by their hash, prometheus children kept, log lines written by a thread that "
    "gathers them for 10 ms, no RESET when a connection is returned, Unix sockets on the app's leg.",
    "Kept: one query at a time instead of two, so that more ids share one: 0.89 (0.87..0.98).",
    "One connection kept while gets follow each other, without the pool's acquire and release: 0.92 (0.80..1.10).",
    "Metrics as plain numbers in place of prometheus's children: 1.00 (0.98..1.02); without any: 0.97 (0.92..1.00). A"
    " stage of the table holds what its calls cost more in that order, not what leaving it out would bring.",
    "Collecting garbage after the start, freezing it and looking for it less often: 0.97 (0.87..1.14).",
    "Log lines made in the event loop instead of in the thread that writes them: 1.03 (0.99..1.10). Without any line "
    "it would be 0.89 (0.84..0.93), so there is nothing to gain that is worth losing them.",
    "Lines gathered for 100 ms instead of 10: 0.99 (0.95..1.05).",
    "A statement of its own for a query of one id (`= $1`, not `= any($1)`): 0.96 (0.89..1.08).",
    "A time limit around the pool's acquire instead of its own, which makes a task: 1.03 (0.89..1.12).",
    "Waiting one turn of the event loop, or four, for more ids before a query: 1.04 (0.84..1.12), 0.95 (0.86..0.99).",
    "grpc.aio's server without our options: 1.08 (1.01..1.11); they cost nothing.",
    "Called in a loop by themselves all layers but the log line cost 17 µs; in the server, between other code, several "
    "times that. So what is left to gain is less code in all, not a slow line somewhere.",
    "uvloop was not tried again: an experiment had 0.86 to 0.98 for another dependency.",
)


if __name__ == "__main__":
    command(measured)
