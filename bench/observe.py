"""`make bench-observe`: what telemetry costs a GetUser through the gateway: off, one call in a hundred, every call.

Three meshes of the bundle are up at once and differ in nothing but that: without a `tracing` section in the Telemetry
document and without an exporter in the apps, with a sampling of 1 %, and as the bundle is, with 100 %. A recorded call
has seven spans or so, of three Envoys, the service and its queries. CPU is that of the whole mesh, the control plane
included, which takes the spans on a laptop.
"""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

import yaml

from bench.figures import number
from bench.load import Load
from bench.mesh_cost import asked
from bench.own_mesh import OwnMesh, own_mesh
from bench.report import Report, Row, Table, command
from bench.rounds import HEADING, Rounds, Sample, cpu_us, medians, middle, paired, per_second, ratio

CALLS, IN_FLIGHT = 400, 8
OFF, SOME, ALL = "off", "1 %", "100 %"


def without_tracing(mesh: OwnMesh) -> None:
    """Nobody makes spans."""
    file = mesh.deploy / "istio" / "telemetry.yaml"
    documents = list(yaml.safe_load_all(file.read_text(encoding="utf-8")))
    traced = [each for each in documents if each["spec"].pop("tracing", None)]
    if not traced:
        raise ValueError(f"{file} has no tracing")
    file.write_text(yaml.safe_dump_all(documents), encoding="utf-8")
    for name, workloads in (("user", 2), ("chat", 1)):
        exporter = "OTEL_TRACES_EXPORTER, value: "
        mesh.edit(f"k8s/{name}.yaml", f"{exporter}otlp", f"{exporter}none", times=workloads)


def as_it_is(mesh: OwnMesh) -> None:
    """Every call."""


MESHES: dict[str, Callable[[OwnMesh], None]] = {OFF: without_tracing, SOME: OwnMesh.sample, ALL: as_it_is}


def measured() -> Report:
    """On three meshes of its own."""
    with ExitStack() as stack:
        bursts: dict[str, Callable[[], Sample]] = {}
        for name, edit in MESHES.items():
            mesh = stack.enter_context(own_mesh())
            edit(mesh)
            mesh.up()  # before the next looks for a free port
            control = int(mesh.status()["process"])
            load = Load(mesh.gateway, asyncio.run(asked(mesh)), pids=[control])
            stack.callback(load.close)
            bursts[name] = partial(load.burst, CALLS, IN_FLIGHT)
        return report(paired(bursts))


def report(rounds: Rounds) -> Report:
    """Both figures of both kinds of sampling, beside none."""
    rows = [
        Row(
            what=f"{what}, {name} of calls traced",
            unit=unit,
            ours=middle(rounds, name, of),
            ours_is=name,
            other=middle(rounds, OFF, of),
            other_is=OFF,
            ratio=ratio(rounds, name, OFF, of),
        )
        for name in (SOME, ALL)
        for what, unit, of in (("throughput", "calls/s", per_second), ("CPU of a call", "µs", cpu_us))
    ]
    lines = [(name, *map(number, medians(rounds, name))) for name in rounds]
    return Report("observe", __doc__ or "", tuple(rows), (Table(("calls traced", *HEADING), tuple(lines)),))


if __name__ == "__main__":
    command(measured)
