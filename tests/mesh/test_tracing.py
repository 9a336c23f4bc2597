"""What a trace of a call shows, to localmesh here and to Jaeger in a cluster: one call is one trace."""

import asyncio
import json
import os
import secrets
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub

from protos.chat.v1.chat_pb2 import SendMessageRequest
from protos.user.v1.user_pb2 import GetUserRequest
from tests.kit import Limit, eventually
from tests.mesh.backend import Mesh, Refused
from tests.mesh.conftest import Lab, Somebody, bearer
from tests.mesh.lab.policies import authorization, document, to, virtual_service
from tests.mesh.local import ROOT, LocalMesh

LOCAL = pytest.mark.local("what localmesh tells of a trace, or of none")

SERVER, CLIENT = 2, 3  # opentelemetry.proto.trace.v1.Span.SpanKind
# A message's way from the gateway: chat's sidecar, chat, and the user that it asks for.
BEHIND_THE_GATEWAY = (
    ("chat.mesh", SERVER),
    ("chat", SERVER),
    ("chat", CLIENT),
    ("chat.mesh", CLIENT),
    ("user.mesh", SERVER),
    ("user", SERVER),
)


@dataclass(frozen=True, slots=True)
class Span:
    """One span of OTLP's JSON."""

    service: str
    name: str
    kind: int
    id: str
    parent: str
    said: dict[str, str]  # attributes


@dataclass(frozen=True, slots=True)
class Traced:
    """A call's trace, asked for by the id that its caller chose."""

    mesh: Mesh
    id: str
    caller: str

    @property
    def header(self) -> tuple[str, str]:
        """W3C trace context of the caller, sampled."""
        return "traceparent", f"00-{self.id}-{self.caller}-01"

    def spans(self) -> list[Span]:
        """Those that have come so far."""
        try:
            return list(spans(self.mesh.trace(self.id)))
        except Refused:
            return []

    def command(self, *words: str) -> str:
        """What localmesh says, where it is one."""
        assert isinstance(self.mesh, LocalMesh)
        return self.mesh.command(*words)

    def told(self) -> str:
        """As a person reads it."""
        return self.command("trace", self.id)


def spans(otlp: dict[str, Any]) -> Iterator[Span]:
    """The spans of a TracesData in OTLP's JSON."""
    for group in otlp["resourceSpans"]:
        service = texts(group["resource"])["service.name"]
        for scope in group["scopeSpans"]:
            for each in scope["spans"]:
                parent = each.get("parentSpanId", "")
                yield Span(service, each["name"], each["kind"], each["spanId"], parent, texts(each))


def texts(one: dict[str, Any]) -> dict[str, str]:
    """Its attributes."""
    return {each["key"]: str(next(iter(each["value"].values()), "")) for each in one.get("attributes", ())}


@pytest.fixture
def traced(mesh: Mesh) -> Traced:
    return Traced(mesh, secrets.token_hex(16), secrets.token_hex(8))


def path(found: list[Span], caller: str, *steps: tuple[str, int]) -> list[Span]:
    """The spans from the caller's on, each the child of the one before, of these services and kinds.

    Raises AssertionError if there is no such path.
    """
    made, parent = [], caller
    for service, kind in steps:
        below = [each for each in found if each.parent == parent]
        one = next((each for each in below if (each.service, each.kind) == (service, kind)), None)
        assert one is not None, f"no span of {service}, kind {kind}, below {parent}, only {below}"
        made.append(one)
        parent = one.id
    return made


async def test_one_call_is_one_trace_from_the_gateway_through_both_sidecars_to_both_services(
    traced: Traced, somebody: Somebody
) -> None:
    """Each arrow is a span at its client and one at its server; the gateway has one more for each attempt."""
    sent = SendMessageRequest(room="traced", text="hello", message_id=str(uuid.uuid4()))
    await somebody.chat.SendMessage(sent, metadata=(*somebody.metadata, traced.header), timeout=10)

    def chain() -> list[Span]:
        return path(
            traced.spans(),
            traced.caller,
            ("gateway.mesh", SERVER),
            ("gateway.mesh", CLIENT),
            *BEHIND_THE_GATEWAY,
        )

    made = await eventually(chain, within=Limit.STARTED, what="the whole path in the trace")
    assert [each.said["grpc.path"] for each in made if "grpc.path" in each.said] == [
        "/chat.v1.ChatService/SendMessage",
        "/chat.v1.ChatService/SendMessage",
        "/user.v1.UserService/GetUser",
        "/user.v1.UserService/GetUser",
    ]
    assert {each.parent for each in traced.spans()} <= {traced.caller, *(each.id for each in traced.spans())}


@LOCAL
async def test_a_persons_call_is_one_trace_that_begins_at_the_client(mesh: Mesh, somebody: Somebody) -> None:
    """With nothing set but which mesh; its name finds its trace, and it waits as long as it takes to send its span."""
    assert isinstance(mesh, LocalMesh)
    name = f"client-{uuid.uuid4().hex}"
    command = [sys.executable, "-m", "clients", "--target", mesh.gateway, "--token", mesh.token(somebody.id)]
    own = {"LOCALMESH_STATE": str(mesh.state), "OTEL_SERVICE_NAME": name, "OTEL_BSP_EXPORT_TIMEOUT": "60000"}
    call = await asyncio.create_subprocess_exec(
        *command, "rooms", "send", "traced", "hello", cwd=ROOT, env={**os.environ, **own}, stdout=subprocess.DEVNULL
    )
    assert await call.wait() == 0

    def whole() -> list[Span]:
        (one,) = json.loads(mesh.command("traces", "--json", "--service", name))["traces"]
        found = list(spans(mesh.trace(one["id"])))
        assert {each.parent for each in found} <= {"", *(each.id for each in found)}
        steps = ((name, CLIENT), ("gateway.mesh", SERVER), ("gateway.mesh", CLIENT), *BEHIND_THE_GATEWAY)
        return path(found, "", *steps)

    made = await eventually(whole, within=Limit.STARTED, what="the whole path in the trace")
    assert made[0].name == "chat.v1.ChatService/SendMessage"


async def test_context_goes_on_in_w3c_headers_and_in_no_others(lab: Lab) -> None:
    headers = (await lab.call({}))["headers"]
    assert "traceparent" in headers
    others = {name for name in headers if name.startswith(("x-b3", "b3", "uber-", "x-datadog", "x-cloud-trace", "sw8"))}
    assert not others


@LOCAL
async def test_who_says_that_a_call_is_not_sampled_is_obeyed(traced: Traced, lab: Lab) -> None:
    unsampled = f"00-{secrets.token_hex(16)}-{traced.caller}-00"
    await lab.call({}, headers={"traceparent": unsampled})
    await lab.call({}, headers=dict([traced.header]))
    await eventually(traced.spans, what="the call after it in the store")
    with pytest.raises(Refused, match="there is no trace"):
        traced.command("trace", unsampled.split("-")[1])


async def test_a_health_check_through_the_gateway_makes_no_trace(
    traced: Traced, somebody: Somebody, channel: grpc.aio.Channel
) -> None:
    """Though its caller asks for one. The call after it, on the same connection and so by the same thread, has one."""
    await HealthStub(channel).Check(HealthCheckRequest(), metadata=(traced.header,), timeout=10)
    after = Traced(traced.mesh, secrets.token_hex(16), traced.caller)
    await somebody.users.GetUser(
        GetUserRequest(id=somebody.id), metadata=(*somebody.metadata, after.header), timeout=10
    )
    whole = (("gateway.mesh", SERVER), ("gateway.mesh", CLIENT), ("user.mesh", SERVER))
    await eventually(lambda: path(after.spans(), traced.caller, *whole), what="the trace of the call after it")
    assert traced.spans() == []


@LOCAL
async def test_probes_make_no_trace(traced: Traced, lab: Lab) -> None:
    """Every app is asked each second since the mesh has started."""
    await lab.call({}, headers=dict([traced.header]))
    await eventually(traced.spans, what="a call in the store")
    listed = json.loads(traced.command("traces", "--json", "--limit", "100000"))["traces"]
    assert [each for each in listed if "grpc.health" in each["name"]] == []


@LOCAL
async def test_each_attempt_of_a_retried_call_is_a_child_of_the_call(traced: Traced, lab: Lab) -> None:
    policy = virtual_service({"route": [to("v2")], "retries": {"attempts": 3, "retryOn": "unavailable"}})
    with traced.mesh.policy(policy):
        failing = {"key": uuid.uuid4().hex, "fail": "UNAVAILABLE", "times": 2}
        await lab.call(failing, headers=dict([traced.header]))

    def attempts() -> list[Span]:
        (call,) = path(traced.spans(), traced.caller, ("caller.lab", CLIENT))
        assert call.said["upstream_request_attempt_count"] == "3"
        below = [each for each in traced.spans() if each.parent == call.id]
        return below if len(below) == 3 else []

    made = await eventually(attempts, what="three attempts below the call")
    assert [each.service for each in made] == ["echo.lab"] * 3
    assert [each.said["grpc.status_code"] for each in made] == ["14", "14", "0"]
    assert "3 attempts" in traced.told()


@LOCAL
async def test_a_denied_call_is_in_the_trace_with_the_rule_that_denied_it(traced: Traced, lab: Lab) -> None:
    method = f"Call{uuid.uuid4().hex}"
    spec = {
        "selector": {"matchLabels": {"app": "echo"}},
        "action": "DENY",
        "rules": [{"to": [{"operation": {"paths": [f"/lab.Echo/{method}"], "ports": ["7000"]}}]}],
    }
    with traced.mesh.policy(authorization("not-this-one", spec)):
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await lab.call({}, method=method, headers=dict([traced.header]))
        assert failure.value.code() is grpc.StatusCode.PERMISSION_DENIED

        def denied() -> Span:
            return path(traced.spans(), traced.caller, ("caller.lab", CLIENT), ("echo.lab", SERVER))[-1]

        span = await eventually(denied, what="the denied call at its server")
        assert span.said["grpc.status_code"] == "7"
        assert "policy[not-this-one]-rule[0]" in span.said["response_code_details"]
        assert "AuthorizationPolicy lab/not-this-one (" in traced.told()
        listed = traced.command("traces", "--error", "--service", "echo", "--limit", "1000")
        assert traced.id[:8] in listed


@LOCAL
async def test_a_timeout_is_told_with_the_virtual_service_that_sets_it(mesh: Mesh, lab: Lab) -> None:
    """The called pod's proxy knows of the caller's patience too, and may be first: then the next call is looked at."""

    async def cut() -> Traced | None:
        traced = Traced(mesh, secrets.token_hex(16), secrets.token_hex(8))
        with pytest.raises(grpc.aio.AioRpcError):
            await lab.call({"delay": 5}, headers=dict([traced.header]))
        flags = await eventually(lambda: flags_of(traced), what="the call in the trace")
        return traced if flags == "UT" else None

    def flags_of(traced: Traced) -> str:
        return path(traced.spans(), traced.caller, ("caller.lab", CLIENT))[0].said["response_flags"]

    with mesh.policy(virtual_service({"timeout": "0.2s"})):
        traced = await eventually(cut, within=Limit.STARTED, what="a call that the caller's proxy ended")
        assert traced is not None
        told = traced.told()
    assert "UT: the timeout of its route was over" in told
    assert "timed out by VirtualService lab/echo (" in told


async def test_a_cancelled_stream_ends_its_spans(traced: Traced, lab: Lab, mesh: Mesh) -> None:
    """They arrive when it ends, and not before."""
    streamed = lab.channel.unary_stream("/lab.Echo/Stream", request_serializer=bytes, response_deserializer=bytes)
    call = streamed(b"", metadata=(*bearer(mesh.token("lab")), traced.header))
    await call.read()
    after = Traced(traced.mesh, secrets.token_hex(16), traced.caller)
    await lab.call({}, headers=dict([after.header]))
    await eventually(after.spans, what="a later call in the store")
    assert traced.spans() == []
    call.cancel()

    def ended() -> list[Span]:
        return path(
            traced.spans(), traced.caller, ("gateway.mesh", SERVER), ("gateway.mesh", CLIENT), ("caller.lab", SERVER)
        )

    at_gateway, _, _ = await eventually(ended, what="the spans of the stream")
    assert at_gateway.said["response_flags"] != "-"


@LOCAL
async def test_who_follows_is_told_of_a_call_when_it_is_over(traced: Traced, lab: Lab) -> None:
    assert isinstance(traced.mesh, LocalMesh)
    command = [sys.executable, "-m", "localmesh", "--state", str(traced.mesh.state)]
    options = ["traces", "--follow", "--json", "--service", "echo.lab"]
    following = await asyncio.create_subprocess_exec(*command, *options, cwd=ROOT, stdout=subprocess.PIPE)
    assert following.stdout is not None
    stdout = following.stdout

    async def told() -> dict[str, Any]:
        while True:
            one: dict[str, Any] = json.loads(await stdout.readline())
            if one["id"] == traced.id and "caller.lab" in one["services"]:  # told again when late spans come
                return one

    async def calling() -> None:
        """Until it is told: nobody says when the follower has begun to listen."""
        while True:
            await lab.call({}, headers=dict([traced.header]))
            await asyncio.sleep(1.5)

    calls = asyncio.create_task(calling())
    try:
        one = await asyncio.wait_for(told(), Limit.STARTED.value)
        assert one["services"] == ["caller.lab", "echo.lab"]
        assert one["status"] == "OK"
    finally:
        calls.cancel()
        following.terminate()
        await following.wait()


@LOCAL
async def test_a_sidecar_that_hides_the_collector_loses_spans_and_no_call(traced: Traced, lab: Lab) -> None:
    """Those of its own workloads: the trace goes on beyond them, below the parent that nobody has."""
    hosts = {"workloadSelector": {"labels": {"app": "caller"}}, "egress": [{"hosts": ["./*", "mesh/*"]}]}
    later = Traced(traced.mesh, secrets.token_hex(16), traced.caller)
    with traced.mesh.policy(document("networking.istio.io/v1", "Sidecar", "narrow", hosts)):
        await lab.call({}, headers=dict([traced.header]))
        await eventually(lambda: "echo.lab" in {each.service for each in traced.spans()}, what="the span of echo")
    await lab.call({}, headers=dict([later.header]))
    await eventually(lambda: path(later.spans(), traced.caller, ("caller.lab", CLIENT)), what="spans of caller again")
    assert "caller.lab" not in {each.service for each in traced.spans()}
