"""tests.mesh on a cluster: what its backend does with kubectl, and its ways in, with real programs at their ends."""

import json
import socket
import socketserver
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from deploy.kind.settings import Settings
from tests.deploy.kind.conftest import World
from tests.deploy.kind.test_pods import item
from tests.kit import eventually
from tests.mesh.backend import Refused
from tests.mesh.forward import Forward, Relay, free_ports
from tests.mesh.kind import KindMesh, jaeger_trace
from tests.mesh.lab.policies import authorization

DRAINED = "listener_manager.total_filter_chains_draining: 0\nlistener_manager.total_listeners_draining: 0\n"
DRAINING = DRAINED.replace("listeners_draining: 0", "listeners_draining: 1")


def named(name: str, template: str | None = "abc", **metadata: Any) -> dict[str, Any]:
    """A ready pod of this name."""
    pod = item()
    labels = {"pod-template-hash": template} if template else {}
    pod["metadata"] |= {"name": name, "labels": labels} | metadata
    return pod


@pytest.fixture
def mesh(world: World, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> KindMesh:
    """With one pod, whose Envoy has taken every configuration."""
    monkeypatch.setattr("tests.mesh.kind.edition_host", lambda _: "edition-1.lab.test")
    world.set(
        answers={
            "kubectl get pods -n mesh": [json.dumps({"items": [named("user-v1-abc-x1")]})],
            "kubectl exec -n mesh user-v1-abc-x1 -c istio-proxy -- pilot-agent request GET stats": [DRAINED],
            "kubectl exec -n mesh user-v1-abc-x1 -c istio-proxy -- pilot-agent request GET clusters": [
                "outbound|8999||edition-1.lab.test::observability_name\n"
            ],
        }
    )
    return KindMesh(settings)


def test_a_new_policy_is_judged_applied_waited_for_and_deleted(world: World, mesh: KindMesh) -> None:
    with mesh.policy(authorization("none", {})):
        seen = [call for call in world.calls("kubectl") if "get" not in call]
        assert "--dry-run=server" in seen[0]
        assert seen[1] == "kubectl apply -f -"
        assert any("request GET clusters" in call for call in seen[2:])
        world.forget()
    assert world.calls("kubectl delete", "kubectl replace") == ["kubectl delete --ignore-not-found -f -"]
    assert any("request GET clusters" in call for call in world.calls())


def test_a_policy_that_was_there_is_put_back(world: World, mesh: KindMesh) -> None:
    earlier = {"metadata": {"name": "none", "resourceVersion": "7", "uid": "u"}, "spec": {"rules": [{}]}, "status": {}}
    there = {"kubectl get authorizationpolicy.security.istio.io none": [json.dumps(earlier)]}
    world.set(answers=world.read()["answers"] | there)
    with mesh.policy(authorization("none", {})):
        pass
    assert world.calls("kubectl delete", "kubectl replace") == ["kubectl replace -f -"]
    assert json.loads(mesh.as_it_is(authorization("none", {}))) == {
        "metadata": {"name": "none"},
        "spec": {"rules": [{}]},
    }


def test_what_the_api_server_refuses_changes_nothing(world: World, mesh: KindMesh) -> None:
    world.set(fails={"kubectl apply --dry-run": [1, 'strict decoding error: unknown field "spec.ruels"']})
    with pytest.raises(Refused, match="ruels"), mesh.policy(authorization("none", {"ruels": []})):
        pass
    assert world.calls("kubectl apply -f", "kubectl delete", "kubectl replace") == []


def test_a_policy_is_in_force_when_the_old_filter_chains_are_gone(world: World, mesh: KindMesh) -> None:
    ask = "kubectl exec -n mesh user-v1-abc-x1 -c istio-proxy -- pilot-agent request GET stats"
    world.set(answers=world.read()["answers"] | {ask: [DRAINING, DRAINING, DRAINED]})
    mesh.wait_until_in_force()
    assert len(world.calls(ask)) == 3


def test_pods_are_numbered_by_workload_and_those_that_go_are_left_out(world: World, mesh: KindMesh) -> None:
    pods = [
        named("user-v1-abc-x2"),
        named("user-v1-abc-x1"),
        named("user-v1-abc-x0", deletionTimestamp="2026-11-22T20:00:00Z"),
        named("postgres-0", None),
    ]
    world.set(answers={"kubectl get pods -n mesh": [json.dumps({"items": pods})]})
    assert [pod.name for pod in mesh.pods()] == ["mesh/postgres-0", "mesh/user-v1-0", "mesh/user-v1-1"]
    assert mesh.pod("mesh/user-v1-1").name == mesh.pod("mesh/user-v1-abc-x2").name == "user-v1-abc-x2"
    assert {pod.restarts for pod in mesh.pods()} == {5}


def test_scaling_tells_the_autoscaler_too(world: World, mesh: KindMesh) -> None:
    scaler = {"metadata": {"name": "chat"}, "spec": {"scaleTargetRef": {"name": "chat"}}}
    world.set(
        answers={
            "kubectl get horizontalpodautoscalers -n mesh": [json.dumps({"items": [scaler]})],
            "kubectl get deployments,statefulsets -n mesh -o name": ["deployment.apps/chat\n"],
        }
    )
    mesh.scale("mesh/chat", 3)
    assert '"minReplicas": 3' in world.calls("kubectl patch hpa chat")[0]
    assert world.calls("kubectl scale") == ["kubectl scale deployment.apps/chat -n mesh --replicas=3"]


def test_the_lab_has_this_sites_tag(settings: Settings, world: World) -> None:
    text = KindMesh(replace(settings, image_tag="7")).lab()
    assert "localmesh/echo:7" in text
    assert "localmesh/echo:0.1.0" not in text


@pytest.fixture
def shouting() -> Iterator[int]:
    """A server that answers each line in capitals, and hangs up after `bye`; its port."""

    class Shout(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for line in self.rfile:
                self.wfile.write(line.upper())
                if line == b"bye\n":
                    return

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Shout) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def test_a_relay_carries_bytes_both_ways_and_the_hanging_up(shouting: int) -> None:
    with Relay([sys.executable, "-m", "tests.mesh.lab.relay", "127.0.0.1", str(shouting)]) as relay:
        for _ in range(2):
            with socket.create_connection(relay.address, timeout=20) as connection, connection.makefile("rwb") as file:
                file.write(b"hello\n")
                file.flush()
                assert file.readline() == b"HELLO\n"
                file.write(b"bye\n")
                file.flush()
                assert file.read() == b"BYE\n"


async def test_a_forward_that_ends_is_begun_again() -> None:
    port = next(free_ports())
    once = (
        "import socket,sys; s=socket.create_server(('127.0.0.1', int(sys.argv[1]))); "
        "s.accept(); c,_=s.accept(); c.sendall(b'x')"
    )
    forward = Forward([sys.executable, "-c", once, str(port)], port)

    def answered() -> bool:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            return connection.recv(1) == b"x"

    try:
        for time in ("first", "second"):
            await eventually(answered, within=20, what=f"an answer for the {time} time")
    finally:
        forward.close()
    with pytest.raises(ConnectionError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


async def test_a_trace_is_asked_of_jaeger_and_one_that_is_not_there_is_refused() -> None:
    """Jaeger's answers, as version 2.13 gave them."""

    class Jaeger(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            known = b"/api/v3/traces/1 " in self.rfile.readline()
            body = b'{"result": {"resourceSpans": []}}' if known else b'{"error": {"message": "No traces found"}}'
            self.wfile.write(b"HTTP/1.0 %s\r\n\r\n" % (b"200 OK" if known else b"404 Not Found") + body)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Jaeger) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        assert jaeger_trace(address, "1") == {"resourceSpans": []}
        with pytest.raises(Refused, match="No traces found"):
            jaeger_trace(address, "2")
        server.shutdown()


def test_metrics_are_those_that_the_agents_answer_prometheus(world: World, mesh: KindMesh) -> None:
    agent = "kubectl exec -n mesh user-v1-abc-x1 -c istio-proxy -- pilot-agent request --debug-port 15020"
    world.set(answers=world.read()["answers"] | {agent: ["grpc_server_handled_total{} 1\n"]})
    assert mesh.metrics() == "grpc_server_handled_total{} 1\n"
