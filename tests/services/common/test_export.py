"""Spans leave through the standard exporter, and nobody waits for them."""

import asyncio
import io
import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import Tracer

from services.common import logs
from services.common.telemetry import Telemetry, set_up
from tests.kit import Limit, eventually
from tests.services.otlp import Collector, attributes, listening


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Telemetry]]:
    """`told(port)` is the telemetry of a process whose collector is at that port of 127.0.0.1."""
    made: list[Telemetry] = []

    def make(port: int, **more: str) -> Telemetry:
        variables = {"EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "BSP_SCHEDULE_DELAY": "20", **more}
        for name, value in variables.items():
            monkeypatch.setenv(f"OTEL_{name}", value)
        made.append(set_up("echo", "echo-0", version="v1", exporter="otlp"))
        return made[-1]

    yield make
    for one in made:
        assert one.export is not None
        one.export.shutdown()
        one.tracer_provider.shutdown()


def _span(telemetry: Telemetry, name: str) -> None:
    tracer: Tracer = telemetry.tracer_provider.get_tracer("test")  # type: ignore[assignment]
    tracer.start_span(name, attributes={"a": "b"}).end()


def _exported(telemetry: Telemetry, error_type: str) -> float:
    return telemetry.registry.get_sample_value("otel_sdk_exporter_span_exported_total", {"error_type": error_type}) or 0


def _processed(telemetry: Telemetry, error_type: str) -> float:
    name = "otel_sdk_processor_span_processed_total"
    return telemetry.registry.get_sample_value(name, {"error_type": error_type}) or 0


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


async def test_spans_reach_an_otlp_collector_with_the_name_of_their_service(told: Callable[..., Telemetry]) -> None:
    """By http://, which means plaintext."""
    collector = Collector()
    with listening(collector) as port:
        _span(told(port), "one")
        await eventually(lambda: collector.named("one"), what="the span is there")
    assert collector.services == {"echo"}
    assert attributes(collector.named("one")[0]) == {"a": "b"}


async def test_a_collector_that_is_away_is_said_once_and_its_return_too(told: Callable[..., Telemetry]) -> None:
    """Not at each try; what was lost is counted, and what comes after the return arrives."""
    stream, port = io.StringIO(), _free_port()

    def said() -> list[dict[str, Any]]:
        return [json.loads(line) for line in stream.getvalue().splitlines()]

    with logs.to_stdout(level="debug", pod="p", version="v", stream=stream):
        telemetry = told(port, EXPORTER_OTLP_TIMEOUT="0.05")
        export = telemetry.export
        assert export is not None
        for number in range(3):
            _span(telemetry, f"lost {number}")
            await eventually(lambda: export.lost > number, what="the span is lost")  # noqa: B023
        collector = Collector()
        with listening(collector, port):

            async def arrived() -> bool:
                _span(telemetry, "again")
                await asyncio.sleep(0.05)
                return bool(collector.named("again"))

            await eventually(arrived, what="spans are taken again")
            await eventually(lambda: _exported(telemetry, "") == len(collector.named("again")), what="they are counted")
            await eventually(lambda: "taken again" in stream.getvalue(), what="the return is said")
    assert _exported(telemetry, "lost") >= 3
    lost, back = (line for line in said() if line["logger"] == "services.common.export")
    assert lost["level"] == "warning" and "UNAVAILABLE" in lost["event"] and f"127.0.0.1:{port}" in lost["event"]
    assert back["level"] == "info" and "lost" in back["event"]
    assert not [line for line in said() if line["logger"].startswith("opentelemetry")]


async def test_what_there_is_no_room_for_is_dropped_counted_and_said_once(told: Callable[..., Telemetry]) -> None:
    """A collector that does not answer: nothing leaves the queue."""
    stream = io.StringIO()
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        logs.to_stdout(level="debug", pod="p", version="v", stream=stream),
    ):
        port = silent.getsockname()[1]
        telemetry = told(port, BSP_MAX_QUEUE_SIZE="16", BSP_MAX_EXPORT_BATCH_SIZE="8", EXPORTER_OTLP_TIMEOUT="60")
        for _ in range(1000):
            _span(telemetry, "x")
        assert (_processed(telemetry, ""), _processed(telemetry, "queue_full")) == (16, 984)
        await telemetry.close(0.1)
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["event"] == "spans are dropped: 16 wait to leave, and there is room for no more"


async def test_where_the_size_of_the_queue_is_no_number_the_specifications_default_holds(
    told: Callable[..., Telemetry],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        telemetry = told(silent.getsockname()[1], BSP_MAX_QUEUE_SIZE="many", EXPORTER_OTLP_TIMEOUT="60")
        for _ in range(2050):
            _span(telemetry, "x")
        assert (_processed(telemetry, ""), _processed(telemetry, "queue_full")) == (2048, 2)
        await telemetry.close(0.1)


async def test_there_is_room_again_for_as_many_as_have_left(told: Callable[..., Telemetry]) -> None:
    collector = Collector()
    with listening(collector) as port:
        telemetry = told(port, BSP_MAX_QUEUE_SIZE="4", BSP_MAX_EXPORT_BATCH_SIZE="4")
        for turn in range(1, 4):
            for _ in range(4):
                _span(telemetry, "x")
            await eventually(lambda: _exported(telemetry, "") == 4 * turn, what="all have left")  # noqa: B023
    assert (_processed(telemetry, ""), _processed(telemetry, "queue_full")) == (12, 0)


async def test_an_end_waits_no_longer_than_it_may_for_a_collector_that_never_answers(
    told: Callable[..., Telemetry],
) -> None:
    """It takes connections and says nothing: the SDK alone would wait for half a minute."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        telemetry = told(silent.getsockname()[1], EXPORTER_OTLP_TIMEOUT="60")
        for _ in range(2000):
            _span(telemetry, "x")
        async with asyncio.timeout(Limit.SOON.value):
            await telemetry.close(0.1)


async def test_what_waits_is_sent_at_the_end(told: Callable[..., Telemetry]) -> None:
    """Though it was not its time yet."""
    collector = Collector()
    with listening(collector) as port:
        telemetry = told(port, BSP_SCHEDULE_DELAY="3600000")
        _span(telemetry, "last words")
        await telemetry.close(Limit.SOON.value)
        assert collector.named("last words")


def test_a_start_does_not_load_the_exporter() -> None:
    """It comes with the first spans that leave."""
    code = (
        "import sys, services.user.server, services.chat.server\n"
        "from services.common.telemetry import set_up\n"
        "set_up('user', 'user-0', exporter='otlp')\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry.exporter')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
