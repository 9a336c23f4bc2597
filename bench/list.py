"""`make bench-list`: all users as a stream, beside a bare COPY of the same rows out of the same database.

ListUsers of our user service, read by a plain Python client over a Unix socket; beside it a process that lets
PostgreSQL copy the same columns to it. Each row that comes is checked for its order and its fields. Rows per second
are of 10,000 rows in turns; memory is the peak (VmHWM) while 10,000 and then 1,000,000 rows pass, of the service and
of the client.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from bench import cpu, memory
from bench.figures import Quartiles, median, number
from bench.own_postgres import own_postgres
from bench.own_service import OwnService, own_service
from bench.processes import ROOT, folder
from bench.report import Aim, Report, Row, Table, command
from bench.rounds import Rounds, Sample, cpu_us, middle, paired, per_second, ratio
from bench.worker import Worker, worker

FEW, MANY, TURN = 10_000, 1_000_000, 10_000
ROUNDS = 5
OTHERS = ("copy", "rows", "messages")
FLAT_MIB = 8.0  # what may be added between few and many: allocators keep a little
SEED = f"""
    insert into users (name, email, name_key, email_key)
    select name, name || '@example.org', name, name || '@example.org'
    from (select 'u' || n as name from generate_series(1, {MANY}) n) made;
    analyze users"""


@dataclass(frozen=True, slots=True)
class Peaks:
    """MiB of both sides while so many rows passed, and the rows per second of that."""

    service: float
    client: float
    sample: Sample


def measured() -> Report:
    """Memory first, then turns."""
    with own_postgres() as postgres, folder() as where, ExitStack() as stack:
        url = postgres.new_database("users", ROOT / "services" / "user" / "migrations")
        postgres.execute("users", SEED)
        service = stack.enter_context(own_service("services.user", where / "user", url))
        listing = stack.enter_context(worker("bench.list_worker", "grpc", service.target))
        others = {kind: stack.enter_context(worker("bench.list_worker", kind, url)) for kind in OTHERS}
        listing(rows=FEW)  # imports, pools, first statements
        few, many = (_peaks(service, listing, rows) for rows in (FEW, MANY))
        served: list[float] = []

        def listed() -> Sample:
            before = cpu.spent([service.pid])
            sample = listing(rows=TURN)
            served.append(cpu.seconds_between(before, cpu.spent([service.pid])) / TURN * 1e6)
            return sample

        bursts = {kind: partial(other, rows=TURN) for kind, other in others.items()}
        rounds = paired({"list": listed, **bursts}, ROUNDS)
    return report(rounds, few, many, served)


def _peaks(service: OwnService, listing: Worker, rows: int) -> Peaks:
    memory.forget_peak(service.pid)
    sample = listing(rows=rows)
    return Peaks(memory.peak(service.pid), memory.peak(listing.pid), sample)


def report(rounds: Rounds, few: Peaks, many: Peaks, served: list[float]) -> Report:
    """The rows of the issue, and what both sides use for a row."""
    flat = 1 + FLAT_MIB / min(few.service, few.client)
    rows = [
        Row(
            what="rows",
            unit="/s",
            ours=middle(rounds, "list", per_second),
            ours_is="ListUsers",
            other=middle(rounds, "copy", per_second),
            other_is="bare COPY",
            ratio=ratio(rounds, "list", "copy", per_second),
            aim=Aim(0.5, least=True),
            otherwise=WHY,
        ),
        *(
            Row(
                what=f"peak memory of the {side}",
                unit="MiB",
                ours=getattr(many, side),
                ours_is=f"{MANY:,} rows",
                other=getattr(few, side),
                other_is=f"{FEW:,} rows",
                ratio=Quartiles(*(getattr(many, side) / getattr(few, side),) * 3),
                aim=Aim(flat),
            )
            for side in ("service", "client")
        ),
    ]
    service, client = median(served[1:]), middle(rounds, "list", cpu_us)
    stored, made = middle(rounds, "rows", cpu_us), middle(rounds, "messages", cpu_us)
    stages = (
        ("the service: rows from PostgreSQL as users", stored),
        ("the service: messages, as bytes", made - stored),
        ("the service: grpc.aio and the interceptors", service - made),
        ("the client: grpc.aio, the message, our check", client),
        ("beside it, who reads the COPY", middle(rounds, "copy", cpu_us)),
    )
    tables = (
        Table(("CPU of a row by stage", "µs"), tuple((name, number(us)) for name, us in stages)),
        Table(("at once", "rows/s"), ((f"{MANY:,} rows", number(many.sample.per_second)),)),
    )
    return Report("list", __doc__ or "", tuple(rows), tables)


WHY = (
    "The contract streams one User a message, and grpc.aio needs some 40 µs of CPU to write one message and as much to "
    "read one, where COPY needs 1 µs for a row. The next step would be a second method whose response is a `repeated` "
    "User, as WatchRoom has it for events (one write for hundreds)."
)


if __name__ == "__main__":
    command(measured)
