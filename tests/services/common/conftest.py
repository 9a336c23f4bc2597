"""A real server around Echo, on Unix sockets, with its spans kept."""

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from protos.chat.v1 import chat_pb2_grpc
from services.common import telemetry
from services.common.channels import open_channel
from services.common.drain import Drain
from services.common.serve import Service, running
from services.common.settings import ServerSettings
from services.common.telemetry import Telemetry
from tests.services.common.echo import NAME, Echo, WritingEcho
from tests.services.issuer import Issuer


@dataclass(frozen=True)
class Served:
    """A running server and a client of it."""

    settings: ServerSettings
    echo: Echo
    drain: Drain
    telemetry: Telemetry
    channel: grpc.aio.Channel
    stub: Any
    bearer: Any
    spans: InMemorySpanExporter

    def metric(self, name: str, **labels: str) -> float:
        """The present value of a metric; 0 if there is none."""
        return self.telemetry.registry.get_sample_value(name, labels) or 0.0

    def finished(self, kind: str) -> list[ReadableSpan]:
        """The spans that have ended, `SERVER` or `CLIENT`."""
        return [span for span in self.spans.get_finished_spans() if span.kind.name == kind]


Serve = Callable[..., AbstractAsyncContextManager[Served]]


@pytest.fixture
async def serve(issuer: Issuer) -> AsyncIterator[Serve]:
    """`async with serve(style="write", stores=…, **settings) as served:`; its channel stays open after the server."""
    channels: list[grpc.aio.Channel] = []

    @asynccontextmanager
    async def served(*, style: str = "generator", stores: Any = None, **changes: Any) -> AsyncIterator[Served]:
        with tempfile.TemporaryDirectory(prefix="s", dir="/tmp") as folder:
            settings = issuer.settings(Path(folder), **changes)
            spans = InMemorySpanExporter()
            telemetry.set_up("echo", "pod-0")  # for its propagation format; the spans go to `spans` instead
            told = Telemetry(TracerProvider())
            told.tracer_provider.add_span_processor(SimpleSpanProcessor(spans))
            drain = Drain(max_age_seconds=settings.max_stream_age_seconds)
            echo = {"generator": Echo, "write": WritingEcho}[style](drain)
            service = Service(
                (NAME,), lambda server: chat_pb2_grpc.add_ChatServiceServicer_to_server(echo, server), stores or {}
            )
            channel = open_channel(settings.grpc_listen, told)
            channels.append(channel)
            async with running(settings, service, drain, told):
                stub = chat_pb2_grpc.ChatServiceStub(channel)
                yield Served(settings, echo, drain, told, channel, stub, issuer.bearer("ada"), spans)

    yield served
    for channel in channels:
        await channel.close()


@pytest.fixture(params=["generator", "write"])
def style(request: pytest.FixtureRequest) -> str:
    """How the streaming handlers are written."""
    return str(request.param)
