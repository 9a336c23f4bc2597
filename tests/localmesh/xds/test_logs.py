"""Access logs and span tags as a real Envoy takes them."""

import json
from pathlib import Path

import pytest
from envoy.extensions.access_loggers.file.v3 import file_pb2
from google.protobuf import json_format

from localmesh.manifests.load import loads
from localmesh.resolve import resolve
from localmesh.xds.compile import compile
from localmesh.xds.snapshot import Snapshot
from localmesh.xds.telemetry import JSON_FORMAT, TEXT_FORMAT
from tests.localmesh.resolve.base import BASE, pod_of
from tests.localmesh.xds.static import validated
from tests.localmesh.xds.test_managers import managers


def compiled(config: str, documents: str = "") -> Snapshot:
    """chat's proxy under this MeshConfig."""
    found = resolve(loads(f"{BASE}{documents}{config}", "mesh.yaml"))
    assert not found.problems, found.problems
    return compile(found.mesh, pod_of(found.mesh))


def log_format(snapshot: Snapshot) -> dict[str, object]:
    """The format of the first log of a connection manager."""
    log = managers(snapshot)[0].access_log[0]
    written = file_pb2.FileAccessLog.FromString(log.typed_config.value)
    found: dict[str, object] = json_format.MessageToDict(written.log_format, preserving_proto_field_name=True)
    return found


@pytest.mark.parametrize(
    ("encoding", "form", "expected"),
    [
        ("TEXT", "", {"text_format_source": {"inline_string": TEXT_FORMAT}}),
        ("TEXT", "%PROTOCOL%", {"text_format_source": {"inline_string": "%PROTOCOL%\n"}}),
        ("JSON", "", {"json_format": JSON_FORMAT, "json_format_options": {}}),
        ("JSON", '{"a": {"b": "%PROTOCOL%"}}', {"json_format": {"a": {"b": "%PROTOCOL%"}}, "json_format_options": {}}),
        ("JSON", "%PROTOCOL%", {"json_format": JSON_FORMAT, "json_format_options": {}}),
    ],
)
def test_the_mesh_s_log_is_written_as_it_says(
    encoding: str, form: str, expected: dict[str, object], tmp_path: Path
) -> None:
    """What is no JSON object is Istio's own format; a line ends where Istio ends it."""
    config = f"accessLogFile: /dev/stdout\naccessLogEncoding: {encoding}\naccessLogFormat: {json.dumps(form)}\n"
    snapshot = compiled(config)
    assert log_format(snapshot) == expected
    assert not validated(snapshot, tmp_path / "envoy.json")


def test_envoy_is_told_of_the_commands_that_need_it(tmp_path: Path) -> None:
    snapshot = compiled('accessLogFile: /dev/stdout\naccessLogFormat: "%REQ_WITHOUT_QUERY(:PATH)%"\n')
    assert "formatters" in log_format(snapshot)
    assert not validated(snapshot, tmp_path / "envoy.json")


TAGS = """
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: tags, namespace: mesh}
spec:
  tracing: [{providers: [{name: otel}], customTags: {form: {formatter: {value: "%REQ(X-A)%"}}}}]
---
"""
OTEL = "extensionProviders: [{name: otel, opentelemetry: {service: user.mesh.svc.cluster.local, port: 50051}}]\n"


def test_a_span_tag_may_be_a_format_string(tmp_path: Path) -> None:
    snapshot = compiled(OTEL, TAGS)
    (tag,) = [one for one in managers(snapshot)[0].tracing.custom_tags if one.tag == "form"]
    assert tag.value == "%REQ(X-A)%"
    assert not validated(snapshot, tmp_path / "envoy.json")
