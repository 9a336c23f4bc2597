"""What pods write down of a call: every pod the same id, who called whom, how it ended, and no secret."""

import secrets
import uuid
from typing import Any

import grpc
import pytest

from protos.chat.v1.chat_pb2 import SendMessageRequest
from tests.kit import eventually
from tests.mesh.backend import Mesh
from tests.mesh.conftest import Lab, Somebody
from tests.mesh.lab.policies import authorization
from tests.mesh.local import LocalMesh
from tests.mesh.logs import Line, lines, proxied

GATEWAY, CHAT = "spiffe://cluster.local/ns/mesh/sa/gateway", "spiffe://cluster.local/ns/mesh/sa/chat"
CALLER = "spiffe://cluster.local/ns/lab/sa/caller"
POSTGRES_SSL = "0000000804d2162f"
NUMBERS = ("latency_ms", "request_bytes", "response_bytes", "response_code", "upstream_request_attempt_count")


def of_trace(mesh: Mesh, trace: str, *, namespace: str = "mesh") -> list[Line]:
    """Every line of this trace in the logs of a namespace."""
    pods = [pod.name for pod in mesh.pods() if pod.name.startswith(f"{namespace}/")]
    return [line for pod in pods for line in lines(mesh.logs(pod)) if line.get("trace_id") == trace]


async def test_the_lines_of_a_call_have_one_trace_id_at_every_pod_that_it_came_through(
    mesh: Mesh, somebody: Somebody
) -> None:
    trace, text = secrets.token_hex(16), f"text-{uuid.uuid4().hex}"
    metadata = (*somebody.metadata, ("traceparent", f"00-{trace}-{secrets.token_hex(8)}-01"))
    request = SendMessageRequest(room=f"room-{uuid.uuid4().hex}", text=text)
    await somebody.chat.SendMessage(request, metadata=metadata, timeout=20)

    def written() -> dict[tuple[str, str, str], Line]:
        return {
            (each["pod"].split("-")[0], each["event"], each.get("peer") or ""): each for each in of_trace(mesh, trace)
        }

    await eventually(lambda: written().keys() >= WRITTEN, what="the lines of every pod")
    found = written()
    assert found.keys() == WRITTEN
    for place, line in found.items():
        assert line["code"] == "OK", place
        assert line["method"] in {"/chat.v1.ChatService/SendMessage", "/user.v1.UserService/GetUser"}
        assert all(isinstance(line[key], int | float) for key in NUMBERS if line.get(key) is not None), line
        assert {"time", "level", "event", "latency_ms", "peer", "request_bytes", "pod"} <= line.keys()
    said = "".join(mesh.logs(pod.name) for pod in mesh.pods() if pod.name.startswith("mesh/"))
    assert text not in said
    assert somebody.metadata[0][1].removeprefix("Bearer ") not in said


# (workload's first word, event, peer): the gateway; chat's sidecar and chat; chat's call of user, by the sidecar and by
# chat; user's sidecar and user.
WRITTEN = {
    ("gateway", "proxied", ""),
    ("chat", "proxied", GATEWAY),
    ("chat", "served", GATEWAY),
    ("chat", "proxied", ""),
    ("chat", "called", ""),
    ("user", "proxied", CHAT),
    ("user", "served", CHAT),
}


async def test_a_denied_call_names_its_rule_in_the_log_of_the_pod_that_denied_it(mesh: Mesh, lab: Lab) -> None:
    deny = authorization("no-writes", DENY_WRITES)
    with mesh.policy(deny):
        line = await denied(mesh, await refused(lab, "Write"), "ns[lab]-policy[no-writes]-rule[1]")
    assert (line["code"], line["peer"], line["upstream_host"]) == ("PERMISSION_DENIED", CALLER, None)
    with mesh.policy(authorization("none", OF_ECHO)):
        await denied(mesh, await refused(lab, "Peek"), "none")


@pytest.mark.local("localmesh tells it")
async def test_localmesh_tells_which_rule_in_which_line_denied_a_call_and_what_was_asked(mesh: Mesh, lab: Lab) -> None:
    assert isinstance(mesh, LocalMesh)
    with mesh.policy(authorization("no-writes", DENY_WRITES)):
        line = await denied(mesh, await refused(lab, "Write"), "ns[lab]-policy[no-writes]-rule[1]")
        file = next(each for each in mesh.deploy.rglob("*.yaml") if '"no-writes"' in each.read_text())
        number = next(number for number, text in enumerate(file.read_text().splitlines(), 1) if "Nothing" in text)
        # The rule begins with its `to`; its path stands six lines further down.
        told = mesh.command("logs", "--trace", line["trace_id"][:12])
        assert f"refused /lab.Echo/Write from {CALLER}: rule 2 of AuthorizationPolicy lab/no-writes denies it" in told
        cited = next(text for text in told.splitlines() if "AuthorizationPolicy lab/no-writes (" in text)
        assert cited.endswith("to paths /lab.Echo/Write | /lab.Echo/Nothing")
        place, _, _ = cited.partition("): ")
        named, _, at = place.partition("(")[2].rpartition(":")
        assert (named, int(at) < number) == (str(file), True)
        assert '"to"' in file.read_text().splitlines()[int(at) - 1] + file.read_text().splitlines()[int(at)]
    with mesh.policy(authorization("none", OF_ECHO)):
        line = await denied(mesh, await refused(lab, "Peek"), "none")
        told = mesh.command("logs", "--trace", line["trace_id"])
        assert f"refused /lab.Echo/Peek from {CALLER}: no rule allows it" in told
        assert "AuthorizationPolicy lab/none (" in told
        assert "mesh/deny-all" not in told  # of another namespace: it was not asked


async def test_a_denied_connection_is_a_line_with_its_rule_too(mesh: Mesh, lab: Lab) -> None:
    def of_stranger() -> list[Line]:
        said = lines(mesh.logs("mesh/postgres-0"))
        return [line for line in said if line.get("event") == "proxied" and line["peer"] == CALLER]

    before = len(of_stranger())
    await lab.ask({"knock": "POSTGRES", "say": POSTGRES_SSL})
    (line,) = await eventually(lambda: of_stranger()[before:], what="the connection in the log of the store's sidecar")
    assert line["method"] is None
    assert isinstance(line["request_bytes"], int)
    assert "rbac_access_denied_matched_policy[none]" in line["connection_termination_details"]


async def test_the_query_of_a_path_is_not_written_down(mesh: Mesh, lab: Lab) -> None:
    method, secret = f"Look{uuid.uuid4().hex}", uuid.uuid4().hex
    pod = f"lab/{(await lab.call({}, method=f'/lab.Echo/{method}?token={secret}'))['pod']}"
    await eventually(lambda: proxied(mesh.logs(pod), method), what="the call in the log of its server")
    await eventually(lambda: proxied(mesh.logs("lab/caller-0"), method), what="the call in the log of its client")
    assert secret not in mesh.logs(pod) + mesh.logs("lab/caller-0")


OF_ECHO: dict[str, Any] = {"selector": {"matchLabels": {"app": "echo"}}}
DENY_WRITES = OF_ECHO | {
    "action": "DENY",
    "rules": [
        {"to": [{"operation": {"paths": ["/lab.Echo/Else"]}}]},
        {"to": [{"operation": {"paths": ["/lab.Echo/Write", "/lab.Echo/Nothing"]}}]},
    ],
}


async def refused(lab: Lab, method: str) -> str:
    """Call, and be refused. Returns the trace."""
    trace = secrets.token_hex(16)
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await lab.call({}, method=method, headers={"traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"})
    assert failure.value.code() is grpc.StatusCode.PERMISSION_DENIED
    return trace


async def denied(mesh: Mesh, trace: str, rule: str) -> Line:
    """The line in echo's logs of the call of this trace, which this rule denied."""

    def found() -> list[Line]:
        return [line for line in of_trace(mesh, trace, namespace="lab") if line["pod"].startswith("echo-")]

    (line,) = await eventually(found, what="the call in the log of echo")
    assert line["response_code_details"] == f"rbac_access_denied_matched_policy[{rule}]"
    return line
