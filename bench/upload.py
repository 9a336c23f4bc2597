"""`make bench-upload`: a file of 256 MiB up and down, beside the same bytes over a bare stream.

Our chat service stores it in PostgreSQL as rows, checks its size and SHA-256, and reads it back; the bare stream is
grpc.aio with the same messages, which keeps nothing and checks nothing. The same client for both, over Unix sockets;
it compares what comes back by size and SHA-256. MB per second are of 64 MiB in turns; memory is the peak (VmHWM) of the
service while 256 MiB pass, less what it had when idle.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from bench import cpu, memory
from bench.figures import Quartiles, number
from bench.own_postgres import OwnPostgres, own_postgres
from bench.own_service import OwnService, own_service
from bench.processes import ROOT, folder, python, running
from bench.report import Aim, Report, Row, Table, command
from bench.rounds import Rounds, Sample, middle, paired, ratio
from bench.worker import Worker, worker

WHOLE, TURN, ROUNDS = 256, 64, 5  # MiB
WAYS = ("up", "down")
NOWHERE = {"USER_TARGET": "unix:/nowhere", "NATS_URL": "nats://127.0.0.1:1"}  # no file needs them


def measured() -> Report:
    """Memory first, then turns."""
    with own_postgres() as postgres, folder() as where, ExitStack() as stack:
        url = postgres.new_database("chat", ROOT / "services" / "chat" / "migrations")
        service = stack.enter_context(own_service("services.chat", where / "chat", url, NOWHERE))
        bare = f"unix:{where}/bare"
        stack.enter_context(running(python("bench.bare_stream", bare), accepts=bare, log=where / "log"))
        ours = stack.enter_context(worker("bench.upload_worker", service.target))
        theirs = stack.enter_context(worker("bench.upload_worker", bare))
        for way in WAYS:
            ours(mib=1, way=way)  # imports, pools, first statements
        passed = {way: _passed(service, postgres, ours, way) for way in WAYS}
        rounds = {
            way: paired({"ours": partial(ours, mib=TURN, way=way), "bare": partial(theirs, mib=TURN, way=way)}, ROUNDS)
            for way in WAYS
        }
    return report(rounds, passed)


@dataclass(frozen=True, slots=True)
class Passed:
    """The service's MiB when idle and at most while the whole file passed; µs for a MiB in all, and of CPU."""

    idle: float
    peak: float
    whole_us: float
    service_us: float
    database_us: float
    client_us: float


def _passed(service: OwnService, postgres: OwnPostgres, client: Worker, way: str) -> Passed:
    memory.forget_peak(service.pid)
    idle = memory.resident(service.pid)
    before = [cpu.spent([one.pid]) for one in (service, postgres)]
    sample = client(mib=WHOLE, way=way)
    after = [cpu.spent([one.pid]) for one in (service, postgres)]
    used = (cpu.seconds_between(*both) for both in zip(before, after, strict=True))
    micros = [seconds / WHOLE * 1e6 for seconds in (sample.seconds, *used, sample.cpu_seconds)]
    return Passed(idle, memory.peak(service.pid), *micros)


def _megabytes(sample: Sample) -> float:
    return sample.per_second / 1e6


def report(rounds: dict[str, Rounds], passed: dict[str, Passed]) -> Report:
    """Both ways."""
    rows = []
    for way in WAYS:
        idle, above = passed[way].idle, max(0.0, passed[way].peak - passed[way].idle)
        rows += [
            Row(
                what=f"{way}: bytes",
                unit="MB/s",
                ours=middle(rounds[way], "ours", _megabytes),
                ours_is="chat",
                other=middle(rounds[way], "bare", _megabytes),
                other_is="bare stream",
                ratio=ratio(rounds[way], "ours", "bare", _megabytes),
                aim=Aim(0.5, least=True),
                otherwise=WHY[way],
            ),
            Row(
                what=f"{way}: memory above idle",
                unit="MiB",
                ours=above,
                ours_is="at most",
                other=idle,
                other_is="idle",
                ratio=Quartiles(*(above / idle,) * 3),
                aim=Aim(32, of_ratio=False),
                otherwise="grpc.aio reads ahead of its handler; the next step is a smaller window.",
            ),
        ]
    lines = tuple(
        (way, *map(number, (one.whole_us, one.client_us, one.service_us, one.database_us)))
        for way, one in passed.items()
    )
    heading = ("µs a MiB", "in all", "CPU: client", "service", "database")
    return Report("upload", __doc__ or "", tuple(rows), (Table(heading, lines),), TRIED)


WHY = {
    "up": "PostgreSQL stores a piece in rows of 2 KB with an index entry each, and writes all of it to its log first "
    "and to its table later; the service waits for that most of the time. The next step is another store behind "
    "services/chat/files.py: a file on a volume, or an object store.",
    "down": "Each piece is a query; PostgreSQL puts it together from rows of 2 KB. The next step is as for up.",
}
# MB/s after and before, in paired rounds on a busy machine, with quartiles.
TRIED = (
    "Reading the next piece of a file while one is being sent: 1.08 (0.99..1.15).",
    "Taking the next piece of an upload while one is being stored: 1.01 (0.93..1.08).",
    "In place of rows of 512 KiB, which PostgreSQL itself parts into rows of 2 KB: rows of 8,000 bytes, which it stores"
    " as they are, one on a page. By COPY 0.68 of its CPU and 0.80 of the time that the service waits for it, by INSERT"
    " 1.09; rows of 4,000 bytes by COPY 1.08; of 512 KiB by COPY 0.95. Of a whole upload that is a tenth.",
)


if __name__ == "__main__":
    command(measured)
