"""`make bench-upload`: a file of 256 MiB up and down, beside the same bytes over a bare stream.

Our chat service stores it in PostgreSQL as rows, checks its size and SHA-256, and reads it back; the bare stream is
grpc.aio with the same messages, which keeps nothing and checks nothing. The same client for both, over Unix sockets;
it compares what comes back by size and SHA-256. MB per second are of 64 MiB in turns; memory is the peak (VmHWM) of the
service while 256 MiB pass, less what it had when idle.
"""

from contextlib import ExitStack
from functools import partial

from bench import cpu, memory
from bench.figures import Quartiles, number
from bench.own_postgres import own_postgres
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
        peaks = {way: _peak(service, ours, way) for way in WAYS}
        rounds = {
            way: paired({"ours": partial(ours, mib=TURN, way=way), "bare": partial(theirs, mib=TURN, way=way)}, ROUNDS)
            for way in WAYS
        }
    return report(rounds, peaks)


def _peak(service: OwnService, client: Worker, way: str) -> tuple[float, float, float]:
    """MiB when idle and at most while the whole file passes, and the service's CPU for a MiB, in µs."""
    memory.forget_peak(service.pid)
    idle, before = memory.resident(service.pid), cpu.spent([service.pid])
    client(mib=WHOLE, way=way)
    used = cpu.seconds_between(before, cpu.spent([service.pid])) / WHOLE * 1e6
    return idle, memory.peak(service.pid), used


def _megabytes(sample: Sample) -> float:
    return sample.per_second / 1e6


def report(rounds: dict[str, Rounds], peaks: dict[str, tuple[float, float, float]]) -> Report:
    """Both ways."""
    rows = []
    for way in WAYS:
        idle, peak, _ = peaks[way]
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
                ours=peak - idle,
                ours_is="at most",
                other=idle,
                other_is="idle",
                ratio=Quartiles(*((peak - idle) / idle,) * 3),
                aim=Aim(32, of_ratio=False),
                otherwise="grpc.aio reads ahead of its handler; the next step is a smaller window.",
            ),
        ]
    lines = tuple((f"chat, {way}", number(used)) for way, (_, _, used) in peaks.items())
    return Report("upload", __doc__ or "", tuple(rows), (Table(("", "CPU µs a MiB"), lines),))


WHY = {
    "up": "Every byte is hashed, sent to PostgreSQL and written twice there (its log and its table), one piece after "
    "the other. The next step is to send a piece while the one before it is being stored.",
    "down": "Each piece is a query. The next step is to read one ahead while a piece is being sent.",
}


if __name__ == "__main__":
    command(measured)
