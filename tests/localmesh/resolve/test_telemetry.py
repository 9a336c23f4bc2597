"""What each side of a pod's proxy traces and logs."""

from localmesh.mesh.telemetry import AccessLog, Telemetry, Tracing
from tests.localmesh.resolve.base import istio, mesh_of, pod_of, resolved, service, whats

CONFIG = """
apiVersion: install.istio.io/v1alpha1
kind: IstioOperator
metadata: {name: istio}
spec:
  meshConfig:
    accessLogFile: /dev/stdout
    extensionProviders:
      - {name: otel, opentelemetry: {service: collector.mesh.svc.cluster.local, port: 4317}}
      - {name: file, envoyFileAccessLog: {path: /dev/stderr, logFormat: {text: "%PATH%"}}}
"""
COLLECTOR = service("collector", "{name: grpc, port: 4317}", app="chat")
STDOUT = AccessLog("/dev/stdout")


def telemetry(spec: str, name: str = "t", namespace: str = "mesh") -> str:
    return istio("Telemetry", name, spec, namespace=namespace, group="telemetry")


def sides(*documents: str) -> tuple[Telemetry, Telemetry]:
    pod = pod_of(resolved(CONFIG, *documents).mesh)
    return pod.server_telemetry, pod.client_telemetry


def test_by_default_one_percent_is_sampled_and_reported_nowhere() -> None:
    assert pod_of(mesh_of()).server_telemetry == Telemetry((), Tracing(1.0, None))


def test_the_access_log_file_of_the_mesh_is_both_sides_log() -> None:
    assert [side.access_logs for side in sides()] == [(STDOUT,), (STDOUT,)]


def test_a_sidecar_that_hides_the_collector_is_told_once_with_its_place() -> None:
    tracing = telemetry("tracing: [{providers: [{name: otel}]}]")
    hiding = istio("Sidecar", "s", "egress: [{hosts: ['./user.mesh.svc.cluster.local']}]")
    told = [each for each in resolved(CONFIG, COLLECTOR, tracing, hiding).warnings if each.code == "LM602"]
    assert [each.what for each in told] == [
        "spans of its workloads are lost: collector.mesh.svc.cluster.local is not among its hosts"
    ]
    assert told[0].where.path == "spec.egress[0]"
    seeing = istio("Sidecar", "s", "egress: [{hosts: ['./*']}]")
    assert not any(each.code == "LM602" for each in resolved(CONFIG, COLLECTOR, tracing, seeing).warnings)


def test_a_provider_gets_the_spans_and_the_nearer_level_overrides() -> None:
    root = telemetry("tracing: [{providers: [{name: otel}], randomSamplingPercentage: 5}]", "r", "istio-system")
    own = telemetry("selector: {matchLabels: {app: chat}}\ntracing: [{randomSamplingPercentage: 50}]")
    server, _ = sides(COLLECTOR, root, own)
    assert server.tracing is not None
    assert server.tracing.provider is not None
    assert (server.tracing.sampling_percent, server.tracing.provider.port) == (50.0, 4317)


def test_an_unknown_provider_or_one_without_its_service_traces_nothing() -> None:
    unknown = telemetry("tracing: [{providers: [{name: nobody}]}]")
    missing = telemetry("tracing: [{providers: [{name: otel}]}]")
    assert sides(unknown)[0].tracing is None
    assert sides(missing)[0].tracing is None
    assert "nothing is traced" in whats(resolved(CONFIG, missing).warnings)


def test_a_mode_concerns_one_side_only() -> None:
    spec = "tracing: [{providers: [{name: otel}]}, {match: {mode: SERVER}, disableSpanReporting: true}]"
    server, client = sides(COLLECTOR, telemetry(spec))
    assert server.tracing is None
    assert client.tracing is not None


def test_logging_disabled_for_a_provider_is_off_and_disabled_without_one_does_nothing() -> None:
    named = telemetry("accessLogging: [{disabled: true, providers: [{name: envoy}]}]")
    unnamed = telemetry("accessLogging: [{disabled: true}]")
    assert sides(named)[0].access_logs == ()
    assert sides(unnamed)[0].access_logs == (STDOUT,)


def test_for_the_client_only_the_server_still_logs_to_the_meshs_file() -> None:
    server, client = sides(telemetry("accessLogging: [{match: {mode: CLIENT}, providers: [{name: file}]}]"))
    assert server.access_logs == (STDOUT,)
    assert client.access_logs == (AccessLog("/dev/stderr", text="%PATH%"),)


def test_a_filter_goes_with_its_provider() -> None:
    spec = "accessLogging: [{providers: [{name: envoy}], filter: {expression: 'response.code >= 400'}}]"
    assert sides(telemetry(spec))[0].access_logs == (AccessLog("/dev/stdout", filter="response.code >= 400"),)
