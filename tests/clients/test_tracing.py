"""Where the spans of the clients go: to whom the environment names, or to the mesh that is called; never in the way."""

import asyncio
import json
import os
import socket
import sys
from collections import Counter
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult

from clients import keys
from clients.span_export import Export
from clients.tracing import endpoint
from services.common import semconv
from tests.clients.peers import serving
from tests.clients.test_cli import Ran, run
from tests.services.otlp import Collector, attributes, listening

GATEWAY, HERE = "127.0.0.1:8080", "unix:/run/otlp.sock"
NAMED = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The state folder of a mesh that runs."""
    (tmp_path / ".mesh").mkdir()
    # The second is what a careless reading makes of mylocalhost:8080.
    told = {"gateways": [GATEWAY, "my127.0.0.1:8080"], "otlp_endpoint": HERE}
    (tmp_path / ".mesh" / "callers.json").write_text(json.dumps(told))
    return tmp_path / ".mesh"


@pytest.mark.parametrize(
    ("target", "environ", "expected"),
    [
        (GATEWAY, {}, HERE),
        ("localhost:8080", {}, HERE),
        (GATEWAY, {"LOCALMESH_STATE": ""}, HERE),
        ("127.0.0.1:8081", {}, ""),  # the gateway of another mesh
        ("mylocalhost:8080", {}, ""),
        (GATEWAY, {"LOCALMESH_STATE": "elsewhere"}, ""),
        (GATEWAY, {NAMED: "http://jaeger:4317"}, "http://jaeger:4317"),
        ("127.0.0.1:8081", {NAMED: "http://jaeger:4317"}, "http://jaeger:4317"),
        (GATEWAY, {NAMED: "http://a:1", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://b:2"}, "http://b:2"),
        (GATEWAY, {"OTEL_TRACES_EXPORTER": "none", NAMED: "http://jaeger:4317"}, ""),
        (GATEWAY, {"OTEL_SDK_DISABLED": "true"}, ""),
    ],
)
def test_spans_go_where_the_environment_says_or_to_the_mesh_that_is_called(
    state: Path, target: str, environ: dict[str, str], expected: str
) -> None:
    assert endpoint(target, environ, state.parent) == expected


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"gateways": 1, "otlp_endpoint": "x"}'])
def test_what_cannot_be_understood_is_no_collector(state: Path, text: str) -> None:
    (state / "callers.json").write_text(text)
    assert endpoint(GATEWAY, {}, state.parent) == ""


async def asked(port: int, *arguments: str, **environ: str) -> Ran:
    """A command whose spans go to this port; it calls a fresh pair of services."""
    async with serving() as gateway:
        return await run(gateway.target, *arguments, environ={NAMED: f"http://127.0.0.1:{port}", **environ})


# Until its spans have left: the second that a command waits by itself may be short on a busy machine.
PATIENT = {"OTEL_BSP_EXPORT_TIMEOUT": "60000"}


async def test_a_command_has_sent_the_span_of_each_of_its_calls_when_it_ends(tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    file.write_text("name,email\nAda,ada@example.com\nBob,bob@example.com\n")
    with listening(collector := Collector()) as port:
        ran = await asked(port, "users", "import", str(file), **PATIENT)
    assert (ran.code, ran.err) == (0, "")
    assert Counter(span.name for span in collector.spans) == {
        "user.v1.UserService/ListUsers": 2,
        "user.v1.UserService/CreateUser": 2,
    }
    assert len({span.trace_id for span in collector.spans}) == 4
    assert collector.services == {"client"}
    assert {attributes(span)[semconv.RPC_CODE] for span in collector.spans} == {"OK"}


async def test_an_upload_is_a_span_too_with_its_pieces(tmp_path: Path) -> None:
    file = tmp_path / "file.bin"
    file.write_bytes(b"x" * 300_000)
    with listening(collector := Collector()) as port:
        ran = await asked(port, "files", "put", str(file), OTEL_SERVICE_NAME="somebody", **PATIENT)
    assert (ran.code, ran.err) == (0, "")
    (span,) = collector.spans
    said = attributes(span)
    assert span.name == "chat.v1.ChatService/UploadFiles"
    assert (said[semconv.MESSAGES_SENT], said[semconv.MESSAGES_RECEIVED], said[semconv.RPC_CODE]) == (3, 1, "OK")
    assert collector.services == {"somebody"}


NOBODY = "Error: NOT_FOUND USER_NOT_FOUND: no user has the id nobody\n"


async def test_a_failed_command_says_what_it_says_and_its_span_that_it_failed() -> None:
    with listening(collector := Collector()) as port:
        ran = await asked(port, "users", "get", "nobody", **PATIENT)
    assert (ran.code, ran.err) == (1, NOBODY)
    (span,) = collector.spans
    assert span.status.message == "NOT_FOUND"


async def test_a_collector_that_never_answers_hides_no_error_and_holds_nobody() -> None:
    """It takes connections and says nothing. The command ends within the limit of any command here."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        ran = await asked(silent.getsockname()[1], "users", "get", "nobody")
    assert (ran.code, ran.err) == (1, NOBODY)


async def test_a_collector_that_is_away_is_not_told_of() -> None:
    ran = await asked(0, "users", "list", **{NAMED: "unix:/nowhere/otlp.sock"})
    assert (ran.code, ran.out, ran.err) == (0, "", "")


@pytest.mark.parametrize("arguments", [("--help",), ("keys", "--help"), ("users", "--help"), ("users", "list", "-x")])
async def test_what_calls_nobody_loads_nothing_that_makes_spans(arguments: tuple[str, ...]) -> None:
    code = f"import sys; sys.argv = ['c', *{arguments!r}]\ntry:\n import clients.__main__\nexcept SystemExit: pass\n"
    check = "print([name for name in sys.modules if name.startswith('opentelemetry.sdk')])"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code + check),
        cwd=keys.repository(),
        env={**os.environ, NAMED: "http://127.0.0.1:1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    out, _ = await process.communicate()
    assert out.decode().splitlines()[-1] == "[]"


def test_what_is_given_up_while_the_exporter_is_loaded_is_not_begun() -> None:
    (span := TracerProvider().get_tracer("test").start_span("one")).end()
    assert isinstance(span, ReadableSpan)
    with listening(collector := Collector()) as port:
        export = Export(f"http://127.0.0.1:{port}")
        export.give_up()
        assert export.export([span]) is SpanExportResult.FAILURE
    assert not collector.spans


def test_a_mesh_with_a_state_folder_of_its_own_is_found_as_localmesh_finds_it(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the working directory, wherever the repository is."""
    monkeypatch.chdir(state.parent)
    assert endpoint(GATEWAY, {"LOCALMESH_STATE": ".mesh"}, tmp_path / "repository") == HERE
