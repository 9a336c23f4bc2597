"""What the log says of a call, and what it never says."""

import io
import json
import logging
import threading
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.common import logs
from services.common.interceptors.access import peer_spiffe_id
from tests.kit import eventually
from tests.services.common.conftest import Serve
from tests.services.common.echo import KINDS, METHODS, NAME, SECRET, finish, start

XFCC = (
    'By=spiffe://cluster.local/ns/mesh/sa/gateway;Hash=1;Subject="O=a,CN=b";URI=spiffe://cluster.local/ns/x/sa/forged,'
    'By=spiffe://cluster.local/ns/mesh/sa/user;Hash=2;Subject="";URI=spiffe://cluster.local/ns/mesh/sa/chat'
)


def _lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize("kind", KINDS)
async def test_each_call_is_one_json_line_on_each_side(serve: Serve, kind: str) -> None:
    """Method, code, latency, bytes, peer, user, trace and pod; the same trace on both sides."""
    stream = io.StringIO()
    with logs.to_stdout(level="info", pod="pod-0", version="v1", stream=stream):
        async with serve() as served:
            metadata = (*served.bearer, ("x-forwarded-client-cert", XFCC))
            await finish(start(served.stub, kind, metadata=metadata))
            await eventually(lambda: len(served.finished("CLIENT")) == 1, what="the call is over")
            (span,) = served.finished("SERVER")
    (server,) = (line for line in _lines(stream) if line["event"] == "served")
    (client,) = (line for line in _lines(stream) if line["event"] == "called")
    assert (server["method"], server["code"], server["level"]) == (f"/{NAME}/{METHODS[kind]}", "OK", "info")
    assert (server["peer"], server["user"]) == ("spiffe://cluster.local/ns/mesh/sa/chat", "ada")
    assert (server["pod"], server["version"]) == ("pod-0", "v1")
    assert server["latency_ms"] >= 0
    request, response = {"unary": (8, 9), "client_stream": (7, 2), "server_stream": (6, 0), "bidi_stream": (8, 4)}[kind]
    assert (server["request_bytes"], server["response_bytes"]) == (request, response)
    assert client["request_bytes"] == request
    assert client["response_bytes"] == (response if kind in {"server_stream", "bidi_stream"} else None)
    assert span.context is not None and server["trace_id"] == client["trace_id"] == f"{span.context.trace_id:032x}"
    assert server["span_id"] == f"{span.context.span_id:016x}"


async def test_neither_tokens_nor_texts_are_logged_and_bugs_keep_their_traceback(serve: Serve) -> None:
    """At the most talkative level, from a call that fails."""
    stream = io.StringIO()
    with logs.to_stdout(level="debug", pod="pod-0", version="v1", stream=stream):
        async with serve() as served:
            with pytest.raises(grpc.aio.AioRpcError):
                await finish(start(served.stub, "bidi_stream", "fail", metadata=served.bearer))
            await finish(start(served.stub, "unary", metadata=served.bearer))
    text = stream.getvalue()
    token = dict(served.bearer)["authorization"].removeprefix("Bearer ")
    assert token not in text and token.rsplit(".", 1)[1] not in text
    assert '"hi"' not in text
    (bug,) = (line for line in _lines(stream) if "error" in line)
    assert SECRET in bug["error"] and "Traceback" in bug["error"]
    assert bug["trace_id"] == next(line for line in _lines(stream) if line.get("code") == "INTERNAL")["trace_id"]


async def test_a_stream_that_ends_as_it_was_meant_to_is_no_warning(serve: Serve) -> None:
    """The same code that a person should look at where it was not meant."""
    stream = io.StringIO()
    with logs.to_stdout(level="info", pod="pod-0", version="v1", stream=stream):
        async with serve() as served:
            call = start(served.stub, "server_stream", "live", metadata=served.bearer)
            await call.read()
            served.drain.begin()
            with pytest.raises(grpc.aio.AioRpcError, match="UNAVAILABLE"):
                await finish(call)
            await eventually(lambda: served.finished("SERVER"), what="the call is over")
    (line,) = (line for line in _lines(stream) if line["event"] == "served")
    assert (line["code"], line["level"]) == ("UNAVAILABLE", "info")


async def test_probes_leave_no_line(serve: Serve) -> None:
    """Nor does reflection."""
    stream = io.StringIO()
    with logs.to_stdout(level="info", pod="pod-0", version="v1", stream=stream):
        async with serve() as served, grpc.aio.insecure_channel(served.settings.grpc_listen) as bare:
            await health_pb2_grpc.HealthStub(bare).Check(health_pb2.HealthCheckRequest())
    assert not [line for line in _lines(stream) if line["event"] in {"served", "called"}]


@pytest.mark.parametrize(
    ("header", "peer"),
    [
        (XFCC, "spiffe://cluster.local/ns/mesh/sa/chat"),
        ("Hash=1;URI=spiffe://a/b", "spiffe://a/b"),
        ('URI="spiffe://a/b";Hash=1', "spiffe://a/b"),
        ("Hash=1", ""),
        ("", ""),
    ],
)
def test_the_peer_is_whom_our_own_sidecar_saw(header: str, peer: str) -> None:
    """The last element: those before it were sent by the caller's side."""
    assert peer_spiffe_id((("x-forwarded-client-cert", header),)) == peer


def test_a_line_of_any_text_is_one_line_of_json() -> None:
    """Line ends and quotes cannot forge another line."""
    stream = io.StringIO()
    with logs.to_stdout(level="warning", pod="p", version="v", stream=stream):
        logging.getLogger("x").warning("a\n{%s}", '"b"')
        logging.getLogger("x").info("below the level")
    (line,) = _lines(stream)
    assert line["event"] == 'a\n{"b"}'


def test_logging_is_as_it_was_afterwards() -> None:
    """Handlers and level."""
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    with logs.to_stdout(level="debug", pod="p", version="v", stream=io.StringIO()):
        assert root.level == logging.DEBUG
    assert (root.level, root.handlers) == before


def test_a_reader_that_does_not_read_costs_lines_not_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too much is dropped, and the log says how much."""

    class Stuck(io.StringIO):
        def write(self, text: str) -> int:
            free.wait()
            return super().write(text)

    free, stream = threading.Event(), Stuck()
    monkeypatch.setattr(logs, "_MOST_WAITING", 10)
    with logs.to_stdout(level="info", pod="p", version="v", stream=stream):
        for number in range(10_000):
            logging.getLogger("x").info("line %s", number)
        free.set()
    lines = _lines(stream)
    assert 10 <= len(lines) < 9_000
    assert any("log lines dropped" in line["event"] for line in lines)


def test_a_line_that_cannot_be_made_does_not_cost_the_others() -> None:
    """A wrong format string is told, and the next line is there."""
    stream = io.StringIO()
    with logs.to_stdout(level="info", pod="p", version="v", stream=stream):
        logging.getLogger("x").info("%d", "no number")
        logging.getLogger("x").info("fine")
    assert [line["event"] for line in _lines(stream)][1] == "fine"
