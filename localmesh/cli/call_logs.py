"""What `localmesh logs --trace` shows: the lines of one call from all pods, and why it was denied if it was."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from localmesh.control.client import connected
from localmesh.control.control_pb2 import ListPoliciesRequest
from localmesh.control.policies import decode_policy
from localmesh.errors import MeshError
from localmesh.observe.call_lines import CallLine, of_trace
from localmesh.observe.denials import Denial, Refused, explained
from localmesh.observe.policies import Policy
from localmesh.runtime import dirs


def show(state: Path, trace: str, *, as_json: bool) -> None:
    """Print the lines of a trace in time order; as JSON they are passed through as they were written."""
    where = dirs.of(state)
    found = of_trace(where.logs, trace)
    if not found:
        raise MeshError(f"no log names the trace {trace}", "localmesh traces lists the last ones")
    if as_json:
        for line in found:
            click.echo(line.text)
        return
    began = min(line.begin for line in found)
    wide = max(len(line.pod) for line in found)
    click.echo(click.style(f"trace {found[0].trace}", bold=True))
    for line in found:
        click.echo(_told(line, began, wide))
    for denial in denials(found, _policies(where.socket("control"))):
        click.echo(f"\n{denial}")


def denials(lines: Iterable[CallLine], policies: Sequence[Policy]) -> list[Denial]:
    """Why proxies refused what these lines tell of."""
    refused = (Refused(line.details, f"{line.namespace}/{line.pod}", line.peer, line.method) for line in lines)
    found = (explained(each, policies) for each in refused if each.details)
    return list(dict.fromkeys(each for each in found if each is not None))


def _policies(socket: Path) -> list[Policy]:
    """Those in force; none if no mesh runs: then a denial is told without the place of its rule."""
    try:
        with connected(socket) as mesh:
            return [decode_policy(each) for each in mesh.ListPolicies(ListPoliciesRequest()).policies]
    except MeshError:
        return []


def _told(line: CallLine, began: float, wide: int) -> str:
    """One line: when, who, what, how it ended, how long, and what was not as usual."""
    latency = f"{line.latency_ms:8.1f} ms" if line.latency_ms is not None else " " * 11
    from_ = f" from {line.peer.rpartition('/')[2]}" if line.peer else ""
    to = f" to {line.upstream}" if line.upstream.startswith("outbound|") else ""
    more = " ".join(filter(None, (line.flags, line.details)))
    well = line.code in {"OK", "200", ""}
    code = click.style(line.code, fg="green" if well else "red")
    what = line.method or line.event
    when = click.style(f"{(line.begin - began) * 1000:8.1f} ms", dim=True)
    text = f"{when}  {line.pod:<{wide}}  {line.program:<8} {latency}  {what}{from_}{to}  {code}"
    return f"{text}  {click.style(more, fg='yellow')}" if more else text
