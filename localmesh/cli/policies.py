"""`localmesh policies`."""

import sys
from collections.abc import Iterable
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from localmesh.cli import show
from localmesh.control.client import connected
from localmesh.control.control_pb2 import ListPoliciesRequest, Policy
from localmesh.control.failures import decode_problems
from localmesh.runtime import dirs

_PODS_BY_NAME = 4


@click.command()
@click.option("--json", "as_json", is_flag=True, help="All that is known, as JSON.")
@click.pass_obj
def policies(state: Path, as_json: bool) -> None:
    """The policy documents in force: where each stands, whom it reaches, since when it says what it says.

    REFUSED is when an edit of it was last refused; what was wrong stands below the table.

    \b
      localmesh policies
      localmesh policies --json | jq '.policies[] | select(.kind == "AuthorizationPolicy")'
    """
    with connected(dirs.of(state).socket("control")) as mesh:
        answer = mesh.ListPolicies(ListPoliciesRequest())
    if as_json:
        show.as_json(answer)
        return
    width = None if sys.stdout.isatty() else show.A_LINE_EACH
    Console(highlight=False, width=width).print(_table(answer.policies))
    refused = {problem for policy in answer.policies for problem in decode_problems(policy.refused)}
    if refused:
        click.echo("\nLast refused:", err=True)
        show.problems(sorted(refused))


def _table(policies: Iterable[Policy]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("KIND", "NAME", "FILE", "REACHES", "IN FORCE SINCE", "REFUSED"):
        table.add_column(column, no_wrap=column != "REACHES")
    for each in policies:
        table.add_row(
            each.kind,
            f"{each.namespace}/{each.name}",
            f"{each.file}:{each.line}",
            _reach(each),
            show.ago(each.applied_at),
            show.ago(each.refused_at),
        )
    return table


def _reach(policy: Policy) -> str:
    """Its pods, or the names that it is about: short enough for a table."""
    if len(policy.pods) > _PODS_BY_NAME:
        return f"{len(policy.pods)} pods"
    return ", ".join(pod.partition("/")[2] for pod in policy.pods) or ", ".join(policy.hosts)
