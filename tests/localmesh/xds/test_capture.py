"""What captured configuration holds, and what it leaves out."""

from dataclasses import replace
from pathlib import Path

import pytest
from envoy.config.cluster.v3.cluster_pb2 import Cluster

from localmesh.mesh import Placement
from localmesh.mesh.identity import Protocol
from localmesh.mesh.pods import Inbound, Pod
from localmesh.mesh.security import AccessPolicy, Action, Mtls
from localmesh.mesh.services import Endpoint
from localmesh.mesh.telemetry import OpenTelemetry, Telemetry, Tracing
from localmesh.mesh.upstreams import Outliers
from localmesh.xds.bootstrap import bootstrap_json
from localmesh.xds.capture import capture
from localmesh.xds.readable import to_json
from localmesh.xds.snapshot import CLUSTER, EXTENSION, LISTENER, ROUTE, Snapshot
from tests.localmesh.xds import meshes
from tests.localmesh.xds.static import validated


def captured(pod: Pod, placement: Placement) -> Snapshot:
    mesh = meshes.mesh(pod)
    return capture(mesh, pod, placement)


def test_a_captured_snapshot_is_whole_and_valid(tmp_path: Path) -> None:
    """Nothing dangles, and a real Envoy takes it."""
    for pod, placement in (
        (meshes.user_pod(), meshes.user_placement("unix:/run/app.sock")),
        (meshes.user_pod(Mtls.PERMISSIVE), meshes.user_placement("127.0.0.1:9000")),
        (meshes.chat_pod(), meshes.chat_placement()),
    ):
        snapshot = captured(pod, placement)
        assert not snapshot.consistent()
        assert not validated(snapshot, tmp_path / "envoy.json")


def test_only_what_is_dialed_is_there() -> None:
    """No virtual listeners, no passthrough; of the clusters those that a route names."""
    snapshot = captured(meshes.chat_pod(), meshes.chat_placement())
    assert list(snapshot.type(LISTENER)) == [f"dial|{meshes.GRPC}|{meshes.USER}"]
    assert list(snapshot.type(CLUSTER)) == [f"outbound|{meshes.GRPC}||{meshes.USER}"]
    assert not captured(meshes.chat_pod(), replace(meshes.chat_placement(), dials=())).type(CLUSTER)


def test_a_port_without_an_app_here_has_no_listener() -> None:
    assert not captured(meshes.user_pod(), Placement(meshes.USER_AT)).type(LISTENER)


def test_a_policy_edit_changes_its_slot_and_nothing_else() -> None:
    """The listener keeps its version, so nothing drains."""
    placement = meshes.user_placement("unix:/run/app.sock")
    before = captured(meshes.user_pod(), placement)
    denied = AccessPolicy("deny-all", "mesh", Action.ALLOW, ())
    after = captured(replace(meshes.user_pod(), access=(denied,)), placement)
    for url in (LISTENER, ROUTE, CLUSTER):
        assert before.versions[url] == after.versions[url]
    changed = [
        name for name, one in after.type(EXTENSION).items() if one.version != before.type(EXTENSION)[name].version
    ]
    assert changed == ["policy.allow"]


def test_the_slots_are_in_the_order_of_evaluation() -> None:
    snapshot = captured(meshes.user_pod(), meshes.user_placement("unix:/run/app.sock"))
    (listener,) = to_json(snapshot)["listeners"]
    chain = listener["filter_chains"][0]  # type: ignore[index]
    filters = [one["name"] for one in chain["filters"][0]["typed_config"]["http_filters"]]
    assert filters[:5] == ["policy.custom", "policy.jwt", "policy.audit", "policy.deny", "policy.allow"]


def test_a_tcp_port_has_no_slots() -> None:
    """Its policies are network filters, and part of the listener."""
    inbound = Inbound(5432, Protocol.TCP, Mtls.STRICT)
    pod = replace(meshes.user_pod(), inbound=(inbound,))
    assert not captured(pod, Placement(meshes.USER_AT, apps={5432: "unix:/run/db.sock"})).type(EXTENSION)


def test_a_change_of_one_upstream_changes_one_cluster() -> None:
    chat = meshes.chat_pod()
    changed = meshes.upstream(chat, outliers=Outliers(consecutive_5xx=3))
    before, after = (captured(pod, meshes.chat_placement()) for pod in (chat, changed))
    assert before.versions[CLUSTER] != after.versions[CLUSTER]
    assert before.versions[LISTENER] == after.versions[LISTENER]


@pytest.mark.parametrize(
    ("address", "port", "source"),
    [(meshes.USER_AT, meshes.GRPC, meshes.CHAT_AT), ("192.0.2.7", meshes.GRPC, ""), ("/run/collector.sock", 0, "")],
)
def test_calls_leave_from_the_pods_address_where_that_can_call(address: str, port: int, source: str) -> None:
    """The kernel lets no loopback address call beyond this machine (EINVAL), and a Unix socket has none."""
    pod = meshes.upstream(meshes.chat_pod(), endpoints=(Endpoint(address, port),))
    body = captured(pod, meshes.chat_placement()).type(CLUSTER)[f"outbound|{meshes.GRPC}||{meshes.USER}"].body
    assert Cluster.FromString(body).upstream_bind_config.source_address.address == source


def test_a_collector_is_there_for_a_proxy_that_knows_it_and_one_that_does_not_is_whole() -> None:
    tracing = Telemetry(tracing=Tracing(100.0, OpenTelemetry("traces", meshes.USER, meshes.GRPC)))
    hidden = Telemetry(tracing=Tracing(100.0, OpenTelemetry("traces", "away.mesh.svc.cluster.local", 4317)))
    undialed = replace(meshes.chat_placement(), dials=())
    for telemetry, clusters in ((tracing, [f"outbound|{meshes.GRPC}||{meshes.USER}"]), (hidden, [])):
        pod = replace(meshes.chat_pod(), client_telemetry=telemetry)
        assert list(captured(pod, undialed).type(CLUSTER)) == clusters
        assert not captured(pod, meshes.chat_placement()).consistent()


def test_a_bootstrap_names_the_node_and_both_sockets() -> None:
    text = bootstrap_json("user-0.mesh", "user.mesh", "/run/admin.sock", "/run/xds.sock")
    for word in ('"user-0.mesh"', '"/run/admin.sock"', '"/run/xds.sock"', '"xds-grpc"', '"sds-grpc"'):
        assert word in text
