"""Spans: one for each side of a call, whatever the handler and the end (opentelemetry-python-contrib#3066, #3271)."""

import asyncio
import json
from io import StringIO
from pathlib import Path

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from opentelemetry.trace import StatusCode

from protos.chat.v1 import chat_pb2_grpc
from services.common import semconv
from services.common.channels import open_channel
from services.common.logs import to_stdout
from tests.kit import eventually
from tests.services.common.conftest import Serve, Served
from tests.services.common.echo import KINDS, METHODS, NAME, finish, start

UNRECORDED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"


async def _ended(served: Served) -> None:
    await eventually(lambda: served.finished("CLIENT") and served.finished("SERVER"), what="both spans have ended")


@pytest.mark.parametrize("kind", KINDS)
async def test_the_servers_span_is_a_child_of_the_clients(serve: Serve, style: str, kind: str) -> None:
    """One trace across the call, for each kind and each style of handler (#3066: also context.write)."""
    async with serve(style=style) as served:
        await finish(start(served.stub, kind, metadata=served.bearer))
        await _ended(served)
        (client,), (server,) = served.finished("CLIENT"), served.finished("SERVER")
    assert server.parent is not None and client.context is not None
    assert server.parent.span_id == client.context.span_id
    assert server.context is not None and server.context.trace_id == client.context.trace_id
    assert server.name == client.name == f"{NAME}/{METHODS[kind]}"
    assert server.attributes is not None and server.attributes["rpc.response.status_code"] == "OK"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["cancel the task", "cancel the call", "drop the call"])
async def test_a_call_that_is_given_up_ends_its_span_once(serve: Serve, kind: str, how: str) -> None:
    """Whatever ends it (#3271), with the code CANCELLED, and the server's span too."""
    async with serve() as served:
        call = start(served.stub, kind, "wait", metadata=served.bearer)
        reading = asyncio.create_task(finish(call))
        await eventually(lambda: served.echo.waiting == 1, what="the handler waits")
        if how == "cancel the call":
            call.cancel()
        if how == "drop the call":
            del call
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        del reading
        await _ended(served)
        (client,), (server,) = served.finished("CLIENT"), served.finished("SERVER")
    for span in (client, server):
        assert span.attributes is not None and span.attributes["rpc.response.status_code"] == "CANCELLED"
    assert client.status.status_code is StatusCode.ERROR


@pytest.mark.parametrize("kind", ["server_stream", "bidi_stream"])
async def test_a_stream_that_is_not_read_to_its_end_ends_its_span(serve: Serve, kind: str) -> None:
    """One response read, then cancelled."""
    async with serve() as served:
        call = start(served.stub, kind, "live" if kind == "server_stream" else "ok", metadata=served.bearer)
        async for _ in call:
            break
        call.cancel()
        await _ended(served)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_failure_is_in_both_spans_without_its_secrets(serve: Serve, kind: str) -> None:
    """The code, no exception text; a NOT_FOUND is no fault of the server's."""
    async with serve() as served:
        for command in ("missing", "fail"):
            served.spans.clear()
            with pytest.raises(grpc.aio.AioRpcError):
                await finish(start(served.stub, kind, command, metadata=served.bearer))
            await _ended(served)
            (client,), (server,) = served.finished("CLIENT"), served.finished("SERVER")
            assert client.attributes is not None and server.attributes is not None
            assert client.attributes["rpc.response.status_code"] == server.attributes["rpc.response.status_code"]
            assert client.status.status_code is StatusCode.ERROR
            assert server.status.status_code is (StatusCode.ERROR if command == "fail" else StatusCode.UNSET)
            assert not server.events


async def test_a_callers_own_trace_goes_on(serve: Serve) -> None:
    """traceparent of the caller (W3C), whatever else it sends."""
    async with serve() as served, grpc.aio.insecure_channel(served.settings.grpc_listen) as bare:
        parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        metadata = (*served.bearer, ("traceparent", parent), ("x-b3-traceid", "1" * 32))
        await finish(start(chat_pb2_grpc.ChatServiceStub(bare), "unary", metadata=metadata))
        (server,) = served.finished("SERVER")
    assert server.parent is not None and server.context is not None
    assert f"{server.context.trace_id:032x}-{server.parent.span_id:016x}" in parent


async def test_all_that_callers_say_of_their_traces_goes_on(serve: Serve) -> None:
    """W3C: of several `tracestate` headers the values are one list."""
    async with serve() as served, grpc.aio.insecure_channel(served.settings.grpc_listen) as bare:
        parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        states = (("tracestate", "a=1,b=2"), ("tracestate", "c=3"))
        metadata = (*served.bearer, ("traceparent", parent), *states)
        await finish(start(chat_pb2_grpc.ChatServiceStub(bare), "unary", metadata=metadata))
        (server,) = served.finished("SERVER")
    assert server.context is not None and dict(server.context.trace_state) == {"a": "1", "b": "2", "c": "3"}


async def test_a_call_that_its_caller_does_not_record_goes_on_under_the_callers_span(serve: Serve) -> None:
    """Nothing is recorded, and log lines still have the caller's trace."""
    lines = StringIO()
    with to_stdout(level="info", pod="pod-0", version="v1", stream=lines):
        async with serve() as served, grpc.aio.insecure_channel(served.settings.grpc_listen) as bare:
            metadata = (*served.bearer, ("traceparent", UNRECORDED))
            await finish(start(chat_pb2_grpc.ChatServiceStub(bare), "unary", metadata=metadata))
            assert not served.finished("SERVER")
    (line,) = [each for each in map(json.loads, lines.getvalue().splitlines()) if each["event"] == "served"]
    assert f"00-{line['trace_id']}-{line['span_id']}-00" == UNRECORDED


async def test_what_the_sampler_wants_is_recorded_whatever_the_caller_does(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its decision is asked for, not guessed."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_on")
    async with serve() as served, grpc.aio.insecure_channel(served.settings.grpc_listen) as bare:
        metadata = (*served.bearer, ("traceparent", UNRECORDED))
        await finish(start(chat_pb2_grpc.ChatServiceStub(bare), "unary", metadata=metadata))
        (server,) = served.finished("SERVER")
    assert server.parent is not None and f"-{server.parent.span_id:016x}-" in UNRECORDED


async def test_probes_and_reflection_make_no_spans(serve: Serve) -> None:
    """A health check every second would bury the rest."""
    async with serve() as served, grpc.aio.insecure_channel(served.settings.grpc_listen) as bare:
        await health_pb2_grpc.HealthStub(bare).Check(health_pb2.HealthCheckRequest())
        reflecting = reflection_pb2_grpc.ServerReflectionStub(bare).ServerReflectionInfo(
            iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        )
        assert [answer async for answer in reflecting]
        await finish(start(served.stub, "unary", metadata=served.bearer))
        await _ended(served)
        assert [span.name for span in served.finished("SERVER")] == [f"{NAME}/SendMessage"]


async def test_a_call_to_nobody_ends_its_span(serve: Serve, tmp_path: Path) -> None:
    """UNAVAILABLE, and the span says so."""
    async with serve() as served:
        channel = open_channel(f"unix:{tmp_path}/nobody", served.telemetry)
        with pytest.raises(grpc.aio.AioRpcError):
            await finish(start(chat_pb2_grpc.ChatServiceStub(channel), "unary"))
        (client,) = served.finished("CLIENT")
        await channel.close()
    assert client.attributes is not None
    assert client.attributes["rpc.response.status_code"] == "UNAVAILABLE"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_clients_span_says_whom_it_calls(serve: Serve, kind: str) -> None:
    async with serve() as served:
        await finish(start(served.stub, kind, metadata=served.bearer))
        await _ended(served)
        (client,) = served.finished("CLIENT")
    assert client.attributes is not None
    assert client.attributes["server.address"] == served.settings.grpc_listen.removeprefix("unix:")


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("user:50051", {"server.address": "user", "server.port": 50051}),
        ("[::1]:50051", {"server.address": "::1", "server.port": 50051}),
        ("unix:/run/user.sock", {"server.address": "/run/user.sock"}),
        ("user", {"server.address": "user"}),
    ],
)
def test_a_servers_address_and_port_are_those_of_the_target(target: str, told: dict[str, object]) -> None:
    assert semconv.server(target) == told
