"""The OTLP receiver as exporters meet it."""

import asyncio
import stat
from pathlib import Path

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from localmesh.errors import MeshError
from localmesh.observe.collector import SERVICE, receiving
from localmesh.observe.spans import Span
from localmesh.observe.store import TraceStore
from localmesh.observe.traces import Wanted


async def test_the_standard_exporter_sends_to_it(tmp_path: Path) -> None:
    store = TraceStore()
    socket = tmp_path / "otlp.sock"
    async with receiving(socket, store.take):
        provider = TracerProvider(resource=Resource.create({"service.name": "app"}))
        exporter = OTLPSpanExporter(endpoint=f"unix:{socket}", insecure=True)
        provider.add_span_processor(SimpleSpanProcessor(exporter))

        def work() -> None:
            with (
                provider.get_tracer("t").start_as_current_span("outer"),
                provider.get_tracer("t").start_as_current_span("inner"),
            ):
                pass
            provider.shutdown()

        await asyncio.to_thread(work)
    (trace,) = store.traces(Wanted(), 10)
    assert [each.what for each in trace.spans] == ["outer", "inner"]
    assert trace.spans[1].parent == trace.spans[0].id
    assert trace.services == ("app",)


async def test_what_is_no_export_is_refused_and_nothing_is_taken(tmp_path: Path) -> None:
    took: list[Span] = []
    socket = tmp_path / "otlp.sock"
    async with receiving(socket, took.extend), grpc.aio.insecure_channel(f"unix:{socket}") as channel:
        call = channel.unary_unary(f"/{SERVICE}/Export", request_serializer=bytes, response_deserializer=bytes)
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await call(b"\xff\xff\xff")
        assert failure.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert took == []


async def test_its_socket_is_its_owners_alone(tmp_path: Path) -> None:
    async with receiving(tmp_path / "otlp.sock", lambda _: None):
        assert stat.S_IMODE((tmp_path / "otlp.sock").stat().st_mode) == 0o600


async def test_a_socket_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    with pytest.raises(MeshError, match="cannot listen"):
        async with receiving(tmp_path / ("x" * 120), lambda _: None):
            pass
