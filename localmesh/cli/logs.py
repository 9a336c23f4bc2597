"""`localmesh logs`: read from the files, so that it also works when the mesh is down."""

from difflib import get_close_matches
from pathlib import Path

import click
from click.core import ParameterSource

from localmesh.cli.start import MESH
from localmesh.errors import MeshError
from localmesh.observe.tail import Tail
from localmesh.runtime import dirs
from localmesh.runtime.trimming import MOST_BYTES


@click.command()
@click.argument("pod", required=False)
@click.option("--follow", "-f", is_flag=True, help="Go on as lines are written, until Ctrl-C.")
@click.option("--container", "-c", default="", help="One of the pod's programs, such as `envoy`; without it all.")
@click.option("--lines", "-n", default=100, show_default=True, help="Of each file, from its end; 0: only new ones.")
@click.option("--trace", default="", metavar="ID", help="The lines of one call from all pods; a prefix is enough.")
@click.option("--json", "as_json", is_flag=True, help="With --trace: the lines as they were written.")
@click.pass_obj
def logs(state: Path, *, pod: str | None, follow: bool, container: str, lines: int, trace: str, as_json: bool) -> None:
    """What a pod's programs write. POD is `name` or `namespace/name`; `localmesh` is the control plane.

    With --trace it is what one call left at every pod, in the order of time, and why it was denied if it was.

    \b
      localmesh logs user-v1-0
      localmesh logs gateway-0 -f -c envoy
      localmesh logs --trace 4bf92f35
    """
    if bool(pod) is bool(trace):
        raise click.UsageError("name a POD, or a call with --trace ID")
    _refuse_senseless(("follow", "container", "lines") if trace else ("as_json",))
    if trace or not pod:
        from localmesh.cli import call_logs  # noqa: PLC0415  (what it needs takes longer to load than to show a log)

        call_logs.show(state, trace, as_json=as_json)
        return
    found = files(dirs.of(state).logs, pod, container)
    tails = []
    for file in found:
        whole, newline, rest = file.read_bytes().rpartition(b"\n")
        read = whole.split(b"\n") if newline else []
        if rest and not follow:
            read.append(rest)
        for line in read[-lines:] if lines else ():
            _print(file, line.decode(errors="replace"), len(found) > 1)
        # Who follows begins where this reading ended, and is told the line that was not whole when it is.
        tails.append(Tail(file, MOST_BYTES, MOST_BYTES, end=len(whole) + len(newline)))
    if follow:
        _follow(tails)


def _refuse_senseless(options: tuple[str, ...]) -> None:
    """UsageError if one of these was given: they would say nothing."""
    context = click.get_current_context()
    for each in context.command.params:
        if each.name in options and context.get_parameter_source(each.name) is ParameterSource.COMMANDLINE:
            with_or_without = "with" if context.params["trace"] else "without"
            raise click.UsageError(f"{each.opts[0]} means nothing {with_or_without} --trace")


def files(folder: Path, pod: str, container: str) -> list[Path]:
    """The logs of a pod's programs. MeshError if there are none."""
    if pod == MESH:
        candidates = list(folder.glob(f"{MESH}.log"))
    else:
        namespace, _, name = pod.rpartition("/")
        candidates = list(folder.glob(f"{namespace or '*'}.{name}.{container or '*'}.log"))
    if not candidates:
        # <namespace>.<pod>.<process>.log; a pod's name has no dots here, nor has a namespace's.
        known = sorted({"/".join(file.name.split(".")[:2]) for file in folder.glob("*.*.*.log")})
        near = get_close_matches(pod, [each for key in known for each in (key, key.partition("/")[2])], n=1)
        meant = f"did you mean {near[0]}? " if near else ""
        raise MeshError(
            f"there is no log of {pod}" + (f", {container}" if container else ""),
            f"{meant}There are {', '.join([*known, MESH])}" if known else "localmesh up",
        )
    return sorted(candidates)


def _print(file: Path, line: str, several: bool) -> None:
    prefix = click.style(f"{file.name.split('.')[-2]:<8} ", dim=True) if several else ""
    click.echo(prefix + line)


def _follow(tails: list[Tail]) -> None:
    """Print what is added, also by programs that are started again."""
    import watchfiles  # noqa: PLC0415  (only for those who wait)

    watched = [tail.file for tail in tails]
    for _ in watchfiles.watch(*watched, rust_timeout=500, yield_on_timeout=True, debounce=50, step=10):
        for tail in tails:
            for line in tail.added():
                _print(tail.file, line, len(tails) > 1)
