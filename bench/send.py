"""`make bench-send`: messages that are durable when they are acknowledged, from 1, 16 and 64 senders at once.

Ours is chat's writer: what waits goes into one transaction, two of them at once. Beside it the same statement with a
commit for each message, over the same pool of 8 connections; and NATS JetStream, whose acknowledgement means durable
only with `sync_interval: always`. Each is a process, on one PostgreSQL and one NATS that sync to the same disk. Each
answer is checked, and at the end all that was acknowledged is counted in the stores. CPU is that of the process that
sends.
"""

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import asyncpg
import nats

from bench.figures import number
from bench.own_postgres import own_postgres
from bench.processes import ROOT, folder, free_port, running
from bench.report import Aim, Report, Row, Table, command
from bench.rounds import HEADING, Rounds, Sample, medians, middle, paired, per_second, ratio
from bench.send_worker import STREAM
from bench.worker import Worker, worker

ROUNDS = 9
SENDERS = {1: 100, 16: 800, 64: 1600}  # and the messages of a burst
NAMES = {"ours": "group commit", "commit": "a commit each", "nats": "NATS, sync always"}
NATS = """\
listen: "127.0.0.1:{port}"
jetstream {{ store_dir: "{folder}/store", sync_interval: always }}
"""


def measured() -> Report:
    """All three in turn, by the number of senders."""
    acknowledged = dict.fromkeys(NAMES, 0)
    with own_postgres() as postgres, folder() as where, own_nats(where) as nats_url, ExitStack() as stack:
        migrations = ROOT / "services" / "chat" / "migrations"
        urls = {kind: postgres.new_database(kind, migrations) for kind in ("ours", "commit")} | {"nats": nats_url}
        told = {kind: stack.enter_context(worker("bench.send_worker", kind, urls[kind])) for kind in NAMES}
        found = {}
        for senders, calls in SENDERS.items():
            bursts = {kind: partial(_burst, told[kind], acknowledged, kind, calls, senders) for kind in NAMES}
            found[senders] = paired(bursts, ROUNDS)
        stored = {kind: asyncio.run(_stored(kind, urls[kind])) for kind in NAMES}
    if stored != acknowledged:
        raise RuntimeError(f"acknowledged: {acknowledged}, stored: {stored}")
    return report(found)


def _burst(told: Worker, acknowledged: dict[str, int], kind: str, calls: int, senders: int) -> Sample:
    sample = told(calls=calls, in_flight=senders)
    acknowledged[kind] += sample.calls
    return sample


async def _stored(kind: str, url: str) -> int:
    """The messages that are there."""
    if kind == "nats":
        connection = await nats.connect(url)
        info = await connection.jetstream().stream_info(STREAM)
        await connection.close()
        return int(info.state.messages)
    database = await asyncpg.connect(url)
    count = await database.fetchval("select count(*) from messages")
    await database.close()
    return int(count)


@contextmanager
def own_nats(where: Path) -> Iterator[str]:
    """A NATS server whose JetStream syncs each message before it acknowledges; its URL."""
    port = free_port()
    settings = where / "nats.conf"
    settings.write_text(NATS.format(port=port, folder=where), encoding="utf-8")
    program = Path(os.environ.get("NATS_BIN") or Path(sys.executable).parent / "nats-server")
    with running([program, "--config", settings], accepts=f"127.0.0.1:{port}", log=where / "nats.log"):
        yield f"nats://127.0.0.1:{port}"


def report(found: dict[int, Rounds]) -> Report:
    """The rows of the issue, and all figures."""
    rows = [
        _row(found, 64, "nats", Aim(5, least=True)),
        _row(found, 64, "commit", Aim(5, least=True)),
        _row(found, 16, "commit", None),
        _row(found, 1, "commit", Aim(0.95, least=True)),
        _row(found, 1, "nats", None),
    ]
    lines = [
        (f"{senders} at once: {name}", *map(number, medians(rounds, kind)))
        for senders, rounds in found.items()
        for kind, name in NAMES.items()
    ]
    return Report("send", __doc__ or "", tuple(rows), (Table(("messages", *HEADING), tuple(lines)),), TRIED)


def _row(found: dict[int, Rounds], senders: int, other: str, aim: Aim | None) -> Row:
    rounds = found[senders]
    return Row(
        what=f"{senders} sender{'s' if senders > 1 else ''}",
        unit="/s",
        ours=middle(rounds, "ours", per_second),
        ours_is=NAMES["ours"],
        other=middle(rounds, other, per_second),
        other_is=NAMES[other],
        ratio=ratio(rounds, "ours", other, per_second),
        aim=aim,
        otherwise=ALONE if senders == 1 else TOGETHER,
    )


ALONE = (
    "A lone message goes by the same statement either way, so the ratio is 1 but for the noise of the disk; what the "
    "writer adds is a queue and a future. NATS appends to a file, PostgreSQL to its log and two indexes besides."
)
TOGETHER = (
    "A batch is a plain insert of all its messages after the rooms' sequences, in one transaction: what is left is the "
    "insert into two indexes, the commit and a wait for the disk. The next step is more than two commits at once."
)
TRIED = (
    "Kept: a batch is inserted without looking for repeats; a repeat violates the key, and only then is looked for it: "
    "0.65 of the database's CPU for a batch of 1, 0.24 for 16, 0.17 for 64, 0.3 for 512.",
    "A repeat that raises nothing (ON CONFLICT DO NOTHING, and a transaction that is rolled back if a row is missing), "
    "so that PostgreSQL logs no error of it: two more round trips, 1.35, 1.46, 1.2 and 1.22 of the database's CPU, and "
    "the rooms stay locked meanwhile.",
    "A statement without arrays for a batch of one: 0.93 of the database's CPU.",
)


if __name__ == "__main__":
    command(measured)
