"""`localmesh check`, `compile`, `config` and `apply`: what files mean, without and with a running mesh."""

from collections.abc import Mapping
from pathlib import Path

import click

from localmesh.cli import show
from localmesh.control.client import connected
from localmesh.control.control_pb2 import ApplyRequest, GetConfigRequest
from localmesh.control.failures import decode_problems
from localmesh.errors import Problem, Problems
from localmesh.runtime import dirs

Readable = dict[str, list[dict[str, object]]]

FILES = click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="PATH…")


@click.command()
@FILES
@click.option("--json", "as_json", is_flag=True, help="Problems and warnings as JSON.")
@click.pass_context
def check(ctx: click.Context, paths: tuple[Path, ...], as_json: bool) -> None:
    """All problems of the files in PATH…, each as `file:line: field: what (what was meant)`. Starts nothing.

    \b
      localmesh check deploy
      localmesh check deploy my-policy.yaml
    """
    from localmesh.up import stages  # noqa: PLC0415  (the compiler: not for `apply` and `config`)

    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    summary = ""
    try:
        checked = stages.checked(stages.read(paths), dirs.of(ctx.obj))
        warnings = checked.warnings
        documents = checked.written.documents
        summary = f"{len(documents.resources)} documents, {len(checked.mesh.pods)} pods: no problems"
        skipped = [f"{each.where}: {each.kind} {each.name}".rstrip() + f": {each.reason}" for each in documents.skipped]
    except Problems as found:
        problems, skipped = found.problems, []
    if as_json:
        show.as_json({"problems": show.plain(problems), "warnings": show.plain(warnings), "skipped": skipped})
    else:
        for line in skipped:
            click.echo(f"without meaning here: {line}")
        show.problems(warnings, "warning")
        show.problems(problems)
        if summary:
            click.echo(summary)
    ctx.exit(1 if problems else 0)


@click.command("compile")
@FILES
@click.option("--json", "as_json", is_flag=True, help='{"<namespace>/<pod>": {"listeners": […], "clusters": […], …}}')
@click.option("--pod", "only", default="", help="Only this pod: `name`, or `namespace/name`.")
@click.pass_context
def compile_(ctx: click.Context, paths: tuple[Path, ...], as_json: bool, only: str) -> None:
    """The Envoy configuration of every pod, as istiod would send it to a cluster's. Starts nothing.

    With problems, it is what istiod makes of them, and the exit code is 1.

    \b
      localmesh compile deploy
      localmesh compile deploy --json --pod chat-0 | jq '."mesh/chat-0".routes'
    """
    from localmesh.up import stages  # noqa: PLC0415  (the compiler: not for `apply` and `config`)
    from localmesh.up.known import known  # noqa: PLC0415
    from localmesh.xds.readable import to_json  # noqa: PLC0415

    made = stages.compiled(stages.read(paths))
    chosen = [known(only, tuple(made.snapshots), "pod")] if only else made.snapshots
    readable = {key: to_json(made.snapshots[key]) for key in chosen}
    if as_json:
        show.as_json(readable)
    else:
        _summary(readable)
    show.problems(made.warnings, "warning")
    show.problems(made.problems)
    ctx.exit(1 if made.problems else 0)


@click.command()
@click.argument("pod")
@click.option("--json", "as_json", is_flag=True, help="The whole of it, as JSON.")
@click.pass_obj
def config(state: Path, pod: str, as_json: bool) -> None:
    """What a running pod's Envoy was last told, without keys.

    \b
      localmesh config chat-0
      localmesh config gateway-0 --json | jq '.routes[].virtual_hosts[].name'
    """
    with connected(dirs.of(state).socket("control")) as mesh:
        text = mesh.GetConfig(GetConfigRequest(pod=pod)).json
    if as_json:
        click.echo(text)
    else:
        _summary({pod: show.parsed(text)})


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
def apply(state: Path, as_json: bool) -> None:
    """Read the files again, and return when every proxy obeys them. (Saving a file does the same by itself.)

    All or nothing: with a problem in a file, a refusal by a proxy, or a changed pod that does not become ready,
    everything is as it was.

    \b
      localmesh apply
    """
    with connected(dirs.of(state).socket("control")) as mesh:
        applied = mesh.Apply(ApplyRequest())
    if as_json:
        show.as_json(applied)
        return
    show.problems(decode_problems(applied.warnings), "warning")
    if applied.changed:
        click.echo(f"in force after {applied.seconds * 1000:.0f} ms: {', '.join(applied.changed)}")
    else:
        click.echo("every proxy obeyed the files already")


def _summary(pods: Mapping[str, Readable]) -> None:
    for key, kinds in pods.items():
        click.echo(click.style(key, bold=True))
        for kind, resources in kinds.items():
            for one in resources:
                click.echo(f"  {kind[:-1]:<9} {one.get('name') or one.get('cluster_name')}")
