"""The command line: the only place that prints and chooses the exit code (0 done, 1 problems, 2 wrong usage).

A verb's module is imported when the verb is used, so that `localmesh status` does not load what `up` needs.
"""

import gc
import importlib
import sys
from pathlib import Path

import click

from localmesh.errors import MeshError, Problems

# verb -> (its module, its line in --help), in the order of --help.
VERBS = {
    "up": ("start", "Start the mesh and wait until every pod is ready."),
    "down": ("stop", "Stop the mesh; its data stays."),
    "clean": ("stop", "Stop the mesh and forget its data."),
    "status": ("status", "The pods: address, state, start time, restarts."),
    "logs": ("logs", "What a pod's programs write."),
    "dashboard": ("dashboard", "The mesh in a browser: calls, pods, logs, policies, traces."),
    "traces": ("traces", "The last calls, one line for each trace; --follow."),
    "trace": ("traces", "One call as a tree: where it went, how long, how it ended, which policy acted."),
    "apply": ("policy", "Read the files again, and wait until every proxy obeys them."),
    "check": ("policy", "All problems of the files, each with its line; starts nothing."),
    "compile": ("policy", "The Envoy configuration of every pod; starts nothing."),
    "config": ("policy", "The configuration that a running pod's Envoy was last told."),
    "metrics": ("metrics", "The metrics of every app and Envoy, for any Prometheus."),
    "policies": ("policies", "The policy documents in force: place, reach, since when, last refused."),
    "scale": ("pods", "Set the number of pods of workloads."),
    "restart": ("pods", "Replace a workload's pods one by one; with two or more no call is lost."),
    "kill": ("pods", "Send a signal to a pod's process, as a fault would."),
    "version": ("version", "The versions of localmesh and of the programs that it runs."),
}

# Allocations until garbage is looked for, Python's own being 700. What the stages make are values without cycles, and
# looking through them again and again for some took a quarter of loading and a third of resolving.
GARBAGE_AFTER = 50_000


class Verbs(click.Group):
    """Finds a verb's command in its module, and lists all of them without importing any."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of VERBS."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, from its module."""
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"localmesh.cli.{VERBS[cmd_name][0]}")
        command = getattr(module, cmd_name if cmd_name != "compile" else "compile_")
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs with their lines."""
        with formatter.section("Commands"):
            formatter.write_dl([(verb, line) for verb, (_, line) in VERBS.items()])


@click.group(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Begin with `localmesh up`. Every listing has --json. Exit codes: 0 done, 1 problems, 2 wrong usage.",
)
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".mesh"),
    envvar="LOCALMESH_STATE",
    show_default=True,
    show_envvar=True,
    help="Where the mesh keeps its data and logs.",
)
@click.pass_context
def cli(ctx: click.Context, state: Path) -> None:
    """Istio policy on this machine: real Envoys, real mTLS, no cluster."""
    ctx.obj = state


def main() -> None:
    """Run the command line and end the process. A MeshError is one message; a bug keeps its traceback."""
    gc.set_threshold(GARBAGE_AFTER)
    try:
        cli.main(prog_name="localmesh")
    except Problems as found:
        number = len(found.problems)
        click.echo(f"{found}\n{number} problem{'' if number == 1 else 's'}; nothing was changed", err=True)
        sys.exit(1)
    except MeshError as error:
        click.echo(f"{click.style('error', fg='red', bold=True)}: {error}", err=True)
        sys.exit(1)
    finally:
        gc.freeze()  # the interpreter would look through all modules once more before it ends: 10 to 30 ms
