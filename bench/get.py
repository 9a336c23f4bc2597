"""`make bench-get`: a user by id from PostgreSQL, one query for each call against the store of our user service.

The other side is asyncpg's pool as it comes: each release of a connection is a round trip (`RESET ALL`), each get a
query. Ours does not reset (nothing here leaves session state, which a test holds), and what is asked for while a query
is on its way goes into the next one (`= any($1)`), each id once; a get that begins after a write sees it
(services/user/lookups.py and its tests). Both are processes on the same Unix socket of one PostgreSQL. Steady: 32
callers, 20,000 ids; stampede: 64 callers, 8 ids; alone: one caller. CPU is that of the process that asks; the
database's is in the table.
"""

from contextlib import ExitStack

from bench import cpu
from bench.figures import median, number
from bench.own_postgres import OwnPostgres, own_postgres
from bench.processes import ROOT
from bench.report import Aim, Report, Row, Table, command
from bench.rounds import HEADING, Burst, Rounds, Sample, cpu_us, medians, middle, paired, per_second, ratio
from bench.worker import Worker, worker

USERS = 20_000
CALLS = 2_000
SHAPES = {  # what a burst is, by name
    "steady": {"calls": CALLS, "in_flight": 32, "among": USERS},
    "stampede": {"calls": CALLS, "in_flight": 64, "among": 8},
    "alone": {"calls": CALLS // 4, "in_flight": 1, "among": USERS},
}
KINDS = ("ours", "stock")
SEED = f"""
    insert into users (name, email, name_key, email_key)
    select name, name || '@example.org', name, name || '@example.org'
    from (select 'u' || n as name from generate_series(1, {USERS}) n) made;
    analyze users"""


def measured() -> Report:
    """Both in turn, each shape of load by itself."""
    with own_postgres() as postgres, ExitStack() as stack:
        url = postgres.new_database("users", ROOT / "services" / "user" / "migrations")
        postgres.execute("users", SEED)
        told = {kind: stack.enter_context(worker("bench.get_worker", kind, url)) for kind in KINDS}
        database: dict[tuple[str, str], list[float]] = {}
        found = {
            shape: paired({kind: _burst(told[kind], postgres, database, kind, shape) for kind in KINDS})
            for shape in SHAPES
        }
    return report(found, {key: median(each[1:]) for key, each in database.items()})


def _burst(
    told: Worker, postgres: OwnPostgres, database: dict[tuple[str, str], list[float]], kind: str, shape: str
) -> Burst:
    """A burst of one contender, which also notes what the database has used for it, in µs a call."""

    def burst() -> Sample:
        before = cpu.spent([postgres.pid])
        sample = told(**SHAPES[shape])
        used = cpu.seconds_between(before, cpu.spent([postgres.pid]))
        database.setdefault((kind, shape), []).append(used / sample.calls * 1e6)
        return sample

    return burst


def report(found: dict[str, Rounds], database: dict[tuple[str, str], float]) -> Report:
    """The rows of the issue, and all figures."""
    rows = []
    for shape, least in (("steady", 3.0), ("stampede", 6.0)):
        for what, unit, of, aim in (
            ("calls", "/s", per_second, Aim(least, least=True)),
            ("CPU of a get", "µs", cpu_us, Aim(0.4)),
        ):
            rows.append(
                Row(
                    what=f"{shape}: {what}",
                    unit=unit,
                    ours=middle(found[shape], "ours", of),
                    ours_is="our store",
                    other=middle(found[shape], "stock", of),
                    other_is="stock pool",
                    ratio=ratio(found[shape], "ours", "stock", of),
                    aim=aim,
                    otherwise="What is left is asyncpg's decoding of rows and a future for each caller.",
                )
            )
    lines = [
        (f"{shape}: {kind}", *map(number, medians(found[shape], kind)), number(database[kind, shape]))
        for shape in SHAPES
        for kind in KINDS
    ]
    return Report("get", __doc__ or "", tuple(rows), (Table(("", *HEADING, "database CPU µs"), tuple(lines)),))


if __name__ == "__main__":
    command(measured)
