"""The services that take spans: who stands in for them, and where their calls go."""

import asyncio
import json
import time
from pathlib import Path

import pytest

from localmesh.errors import MeshError, Problems
from localmesh.manifests import loads
from localmesh.mesh.services import Endpoint, Resolution
from localmesh.observe.collector import receiving
from localmesh.observe.traces import Wanted
from localmesh.runtime import dirs
from localmesh.runtime.local import Collector
from localmesh.up import collectors, stages
from localmesh.up.beginning import running
from localmesh.up.host import imagined
from localmesh.up.local import local_run
from tests.kit import eventually
from tests.localmesh.up.small import caller, copied

HOST = "spans.away.svc.cluster.local"
LOCAL = "apiVersion: localmesh/v1alpha1\nkind: LocalRun\n"
FIELD = f"collectors: [{{service: {HOST}, ports: {{grpc-otlp: 4317, tcp-otlp: 14317}}}}]\n"
TRACING = f"""
apiVersion: install.istio.io/v1alpha1
kind: IstioOperator
spec:
  meshConfig:
    extensionProviders: [{{name: traces, opentelemetry: {{service: {HOST}, port: 4317}}}}]
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {{name: traces, namespace: istio-system}}
spec: {{tracing: [{{providers: [{{name: traces}}], randomSamplingPercentage: 100}}]}}
"""

OWN_SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: spans, namespace: away}
spec: {ports: [{name: grpc, port: 4317}]}
"""


def traced(folder: Path) -> Path:
    """The small bundle, traced."""
    deploy = copied(folder)
    (deploy / "tracing.yaml").write_text(TRACING)
    with (deploy / "local.yaml").open("a") as local:
        local.write(FIELD)
    return deploy


def test_the_field_arrives() -> None:
    (one,) = local_run(loads(LOCAL + FIELD).local).collectors
    assert (one.host, dict(one.ports)) == (HOST, {"grpc-otlp": 4317, "tcp-otlp": 14317})


def test_a_short_name_is_refused_with_its_place() -> None:
    with pytest.raises(Problems, match=r"-:3: collectors\[0\]\.service: 'jaeger' is not the name of a service"):
        local_run(loads(LOCAL + "collectors: [{service: jaeger, ports: {grpc: 4317}}]").local)


@pytest.mark.parametrize(
    ("at", "endpoint", "resolution"),
    [
        ("unix:/run/otlp.sock", Endpoint("/run/otlp.sock", 0), Resolution.ENDPOINTS),
        ("127.0.0.1:4317", Endpoint("127.0.0.1", 4317), Resolution.ENDPOINTS),
        ("jaeger.example:4317", Endpoint("jaeger.example", 4317), Resolution.DNS),
    ],
)
def test_every_port_leads_to_the_collector(at: str, endpoint: Endpoint, resolution: Resolution) -> None:
    (service,) = collectors.services([Collector(HOST, {"grpc-otlp": 4317, "tcp-otlp": 14317})], at)
    assert (service.host, service.name, service.namespace) == (HOST, "spans", "away")
    assert [(port.number, port.protocol.is_http) for port in service.ports] == [(4317, True), (14317, False)]
    assert (service.endpoints, service.resolution) == ({4317: (endpoint,), 14317: (endpoint,)}, resolution)


def test_who_only_looks_at_files_is_shown_no_endpoint() -> None:
    (service,) = collectors.services([Collector(HOST, {"grpc-otlp": 4317})], "")
    assert service.endpoints == {4317: ()}


@pytest.mark.parametrize(
    "url", ["localhost:4317", "https://a:4317", "http://a", "http://a:x", "http://a:4317/v1/traces"]
)
def test_an_endpoint_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(MeshError, match="is no OTLP/gRPC endpoint"):
        collectors.chosen({"OTLP_ENDPOINT": url}, Path("/own"))


def test_a_collector_that_nobody_calls_is_in_no_proxys_configuration(tmp_path: Path) -> None:
    plain, named = copied(tmp_path / "plain"), copied(tmp_path / "named")
    with (named / "local.yaml").open("a") as local:
        local.write(FIELD)
    without, there = (
        stages.designed(stages.read([each]), lambda mesh, _: imagined(dirs.of(tmp_path), mesh))
        for each in (plain, named)
    )
    assert HOST not in {each.host for each in without.mesh.services}
    assert HOST in {each.host for each in there.mesh.services}
    versions = [{key: each.version for key, each in stages.configured(one, {}).items()} for one in (without, there)]
    assert versions[0] == versions[1]


def test_a_service_of_the_files_own_is_stronger(tmp_path: Path) -> None:
    deploy = traced(tmp_path)
    (deploy / "own.yaml").write_text(OWN_SERVICE)
    mesh, _ = stages.meant(stages.read([deploy]))
    (service,) = (each for each in mesh.services if each.host == HOST)
    assert service.endpoints == {4317: ()}


async def test_spans_are_kept_here_and_seen_soon_after_the_call(tmp_path: Path) -> None:
    """Callers on this machine find the collector too, for as long as it is there."""
    deploy, where = traced(tmp_path), dirs.of(tmp_path / "state")
    async with running((deploy,), where, asyncio.Event(), time.time()) as mesh:
        assert json.loads(where.callers.read_text())["otlp_endpoint"] == f"unix:{where.socket('otlp')}"
        await mesh.started()
        async with caller() as calling:
            await calling.call()

        def whole() -> bool:
            (trace,) = mesh.traces().traces(Wanted(service="echo"), 9)
            return trace.services == ("gateway.small", "echo.small")

        await eventually(whole, what="one trace through both proxies")
    assert not where.callers.exists()


async def test_with_otlp_endpoint_spans_go_there_and_who_asks_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A collector of the person's own, here by name; the socket stands in for it."""
    taken: list[object] = []
    deploy, where = traced(tmp_path), dirs.of(tmp_path / "state")
    relay = await asyncio.start_server(lambda r, w: _relayed(r, w, tmp_path / "theirs"), "127.0.0.1", 0)
    port = relay.sockets[0].getsockname()[1]
    monkeypatch.setenv("OTLP_ENDPOINT", f"http://localhost:{port}")
    async with (
        relay,
        receiving(tmp_path / "theirs", taken.extend),
        running((deploy,), where, asyncio.Event(), time.time()) as mesh,
    ):
        assert json.loads(where.callers.read_text())["otlp_endpoint"] == f"http://localhost:{port}"
        await mesh.started()
        async with caller() as calling:
            await calling.call()
        await eventually(lambda: len(taken) >= 3, what="the spans of the call at the collector")
        with pytest.raises(MeshError, match=rf"spans go to localhost:{port} \(OTLP_ENDPOINT\)"):
            mesh.traces()


async def _relayed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, socket: Path) -> None:
    """The connection, carried on to a Unix socket."""
    there_reader, there_writer = await asyncio.open_unix_connection(socket)

    async def carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while piece := await source.read(65536):
            sink.write(piece)
            await sink.drain()
        sink.close()

    await asyncio.gather(carry(reader, there_writer), carry(there_reader, writer), return_exceptions=True)
