"""`localmesh traces` and `localmesh trace`: which calls there were, and what became of one of them."""

import re
import sys
from datetime import datetime
from pathlib import Path

import click
from google.protobuf.json_format import MessageToJson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from localmesh.cli import show
from localmesh.control.client import connected
from localmesh.control.control_pb2 import (
    GetTraceRequest,
    ListPoliciesRequest,
    ListTracesRequest,
    ListTracesResponse,
    TraceFilter,
    TraceSummary,
    WatchTracesRequest,
)
from localmesh.runtime import dirs

_SHORT_ID = 8
_LENGTH = re.compile(r"([0-9]+(?:\.[0-9]+)?)(us|ms|s|m)")
_UNITS = {"us": 0.000_001, "ms": 0.001, "s": 1.0, "m": 60.0}
_RIGHT = frozenset({"TOOK", "SPANS"})


class Length(click.ParamType[float]):
    """A length of time, in seconds."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Of `50ms`, `1.5s`, `2m`."""
        if isinstance(value, float):
            return value
        found = _LENGTH.fullmatch(str(value))
        if found is None:
            self.fail(f"{value!r} is not a length of time, such as 50ms or 1.5s", param, ctx)
        return float(found[1]) * _UNITS[found[2]]


@click.command()
@click.option("--service", "-s", default="", help="Where this one takes part: `chat`, or `chat.mesh`.")
@click.option("--error", "failed", is_flag=True, help="Where something ended with an error, even if a retry mended it.")
@click.option("--slower-than", type=Length(), default=0.0, metavar="TIME", help="That took longer: 50ms, 1.5s.")
@click.option("--limit", "-n", type=click.IntRange(1), default=20, show_default=True, help="At most so many.")
@click.option("--follow", "-f", is_flag=True, help="Go on as traces arrive, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="As JSON; with --follow one object for each line.")
@click.pass_obj
def traces(
    state: Path, *, service: str, failed: bool, slower_than: float, limit: int, follow: bool, as_json: bool
) -> None:
    """The last calls, one line for each trace, the one that began last at the end.

    A span arrives when it ends, at most a second later: a stream is seen when it is over, and its trace grows until
    then (with --follow it is told again). SPANS says how many have come.

    \b
      localmesh traces --service chat --error
      localmesh traces --slower-than 50ms -n 5
      localmesh traces --follow
    """
    wanted = TraceFilter(service=service, failed=failed, slower_than_seconds=slower_than)
    with connected(dirs.of(state).socket("control")) as mesh:
        last = mesh.ListTraces(ListTracesRequest(filter=wanted, limit=limit)).traces
        found = sorted(last, key=lambda one: one.started_at)
        if not follow:
            _list(found, as_json=as_json)
            return
        for one in found:
            _line(one, as_json=as_json)
        for one in mesh.WatchTraces(WatchTracesRequest(filter=wanted)):
            _line(one, as_json=as_json)


@click.command()
@click.argument("trace_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="OTLP's JSON, which Jaeger opens (Search, Upload).")
@click.pass_obj
def trace(state: Path, trace_id: str, as_json: bool) -> None:
    """One trace as a tree: where a call went, how long each part took, how it ended, and which policy acted.

    ID is a trace's id or the beginning of it, as `localmesh traces` shows it. A span arrives when it ends: what still
    goes on, such as a stream, is not there yet, and what it has called stands at the left edge until then.

    \b
      localmesh trace 4bf92f35
      localmesh trace 4bf92f35 --json > trace.json
    """
    from localmesh.cli.waterfall import drawn  # noqa: PLC0415  (what reads spans: not for `traces`)
    from localmesh.control.policies import decode_policy  # noqa: PLC0415
    from localmesh.observe import otlp  # noqa: PLC0415
    from localmesh.observe.traces import Trace  # noqa: PLC0415

    with connected(dirs.of(state).socket("control")) as mesh:
        data = mesh.GetTrace(GetTraceRequest(id=trace_id)).otlp
        policies = [decode_policy(each) for each in mesh.ListPolicies(ListPoliciesRequest()).policies]
    if as_json:
        click.echo(otlp.to_json(data))
        return
    console = _console()
    for line in drawn(Trace.of(otlp.decode(data)), policies):
        console.print(line, soft_wrap=True)


def _list(found: list[TraceSummary], *, as_json: bool) -> None:
    if as_json:
        show.as_json(ListTracesResponse(traces=found))
        return
    if not found:
        click.echo("There are no such traces yet: a span arrives when it ends, at most a second later.", err=True)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("TRACE", "BEGAN", "TOOK", "STATUS", "SPANS", "CALL", "SERVICES"):
        table.add_column(column, no_wrap=True, justify="right" if column in _RIGHT else "left")
    for one in found:
        table.add_row(*_cells(one))
    _console().print(table)


def _line(one: TraceSummary, *, as_json: bool) -> None:
    if as_json:
        click.echo(MessageToJson(one, preserving_proto_field_name=True, indent=None))
        return
    short, began, took, status, spans, call, services = map(str, _cells(one))
    click.echo(f"{short}  {began}  {took:>10}  {status:<17}  {spans:>3}  {call}  {services}")


def _cells(one: TraceSummary) -> tuple[Text | str, ...]:
    from localmesh.cli.waterfall import took  # noqa: PLC0415

    began = datetime.fromtimestamp(one.started_at).strftime("%H:%M:%S.%f")[:-3]
    services = " → ".join(dict.fromkeys(each.partition(".")[0] for each in one.services))
    colour = "red" if one.status not in {"", "OK"} else "yellow" if one.failed else "green"
    status = Text(one.status or ("ERROR" if one.failed else "-"), style=colour)
    return one.id[:_SHORT_ID], began, took(one.seconds), status, str(one.spans), one.name, services


def _console() -> Console:
    """As wide as the terminal, and elsewhere a line for each, however long."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else show.A_LINE_EACH)
