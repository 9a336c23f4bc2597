"""The server as a whole: health, reflection, metrics, and an orderly end."""

import asyncio
import socket
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from services.common import status
from services.common.settings import SettingsError
from tests.kit import eventually
from tests.services.common.conftest import Serve, Served
from tests.services.common.echo import KINDS, NAME, finish, start

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


class Store:
    """A store that a test takes away."""

    def __init__(self) -> None:
        self.away = False

    async def check(self) -> None:
        """Raises while it is away."""
        if self.away:
            raise OSError("away")


async def _health(served: Served, name: str) -> Any:
    stub = health_pb2_grpc.HealthStub(served.channel)
    return (await stub.Check(health_pb2.HealthCheckRequest(service=name))).status


async def test_readiness_follows_the_stores_and_liveness_does_not(serve: Serve) -> None:
    """Check and Watch tell the same; the store's return is noticed."""
    store = Store()
    store.away = True
    async with serve(stores={"store": store.check}) as served:
        stub = health_pb2_grpc.HealthStub(served.channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest(service=NAME))
        assert (await watch.read()).status == NOT_SERVING
        assert await _health(served, "readiness") == NOT_SERVING
        assert await _health(served, "liveness") == await _health(served, "") == SERVING
        store.away = False
        assert (await watch.read()).status == SERVING
        assert await _health(served, "readiness") == await _health(served, NAME) == SERVING
        store.away = True
        assert (await watch.read()).status == NOT_SERVING
        assert await _health(served, "liveness") == SERVING
        watch.cancel()


async def test_a_store_that_never_answers_is_away(serve: Serve) -> None:
    """A check that hangs counts as a failure, and the other names are not held up."""
    gone = asyncio.Event()
    async with serve(stores={"store": gone.wait}) as served:
        assert await _health(served, "readiness") == NOT_SERVING
        assert await _health(served, "liveness") == SERVING


async def test_an_unknown_name_is_not_found_and_may_be_watched(serve: Serve) -> None:
    """As grpc.health.v1 asks."""
    async with serve() as served:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await _health(served, "nobody")
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        stub = health_pb2_grpc.HealthStub(served.channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest(service="nobody"))
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
        watch.cancel()
        listed = await stub.List(health_pb2.HealthListRequest())
        assert set(listed.statuses) == {"", "liveness", "readiness", NAME}


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_reflection_under_both_names(serve: Serve, version: str) -> None:
    """Services and their files, without a token."""
    async with serve() as served:
        method = served.channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        asked = [
            reflection_pb2.ServerReflectionRequest(list_services=""),
            reflection_pb2.ServerReflectionRequest(file_containing_symbol=NAME),
            reflection_pb2.ServerReflectionRequest(file_containing_symbol=f"{NAME}.Chat"),
            reflection_pb2.ServerReflectionRequest(file_containing_symbol=f"{NAME}.Nothing"),
        ]
        listed, service, chat, nothing = [answer async for answer in method(iter(asked))]
    assert NAME in [each.name for each in listed.list_services_response.service]
    assert service.file_descriptor_response.file_descriptor_proto
    assert chat.file_descriptor_response == service.file_descriptor_response
    assert nothing.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


async def _get(path: str, target: str, method: str = "GET") -> bytes:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(f"{method} {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return answer


async def test_metrics_over_a_unix_socket(serve: Serve) -> None:
    """What Prometheus reads; nothing else is there."""
    async with serve() as served:
        await finish(start(served.stub, "unary", metadata=served.bearer))
        path = served.settings.metrics_listen.removeprefix("unix:")
        head, _, body = (await _get(path, "/metrics")).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK") and b"text/plain" in head
        assert f"Content-Length: {len(body)}".encode() in head
        assert b'grpc_server_handled_total{grpc_code="OK",grpc_method="SendMessage"' in body
        assert b"process_resident_memory_bytes" in body
        assert (await _get(path, "/")).startswith(b"HTTP/1.1 404")
        assert (await _get(path, "/metrics", "POST")).startswith(b"HTTP/1.1 405")


async def test_metrics_and_grpc_over_tcp(serve: Serve) -> None:
    """On 127.0.0.1 as well; a port that is taken is an error that names the setting."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = taken.getsockname()[1]
    async with serve(metrics_listen=f"127.0.0.1:{free}"):
        reader, writer = await asyncio.open_connection("127.0.0.1", free)
        writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
        writer.close()
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SettingsError, match=r"^GRPC_LISTEN"):
        async with serve(grpc_listen=f"127.0.0.1:{taken.getsockname()[1]}"):
            raise AssertionError("it listens")
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SettingsError, match=r"^METRICS_LISTEN"):
        async with serve(metrics_listen=f"127.0.0.1:{taken.getsockname()[1]}"):
            raise AssertionError("it listens")


@pytest.mark.parametrize("style", ["generator", "write"])
async def test_a_drain_ends_streams_with_a_place_to_resume_from(serve: Serve, style: str) -> None:
    """UNAVAILABLE, STREAM_DRAINING, resume_after; a running unary call finishes."""
    async with serve(style=style, drain_seconds=20) as served:
        stream = start(served.stub, "server_stream", "live", metadata=served.bearer)
        await stream.read()
        await stream.read()
        watch = health_pb2_grpc.HealthStub(served.channel).Watch(health_pb2.HealthCheckRequest(service=NAME))
        assert (await watch.read()).status in {SERVING, NOT_SERVING}
        unary = asyncio.ensure_future(finish(start(served.stub, "unary", "until.the.drain", metadata=served.bearer)))
        await eventually(lambda: served.echo.waiting == 1, what="a unary call runs")
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < 15, "the drain did not wait for its whole time"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await finish(stream)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    meant = status.from_call(caught.value)
    assert (meant.reason, meant.values, meant.retry_after_seconds) == ("STREAM_DRAINING", {"resume_after": "7"}, 0.0)
    assert (await unary)[0].text == "hi", "it was not cut"
    last = [answer.status async for answer in _until_it_fails(watch)]
    assert last[-1] == NOT_SERVING


async def _until_it_fails(call: Any) -> Any:
    try:
        async for answer in call:
            yield answer
    except grpc.aio.AioRpcError as error:
        assert error.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_stream_has_a_greatest_age(serve: Serve) -> None:
    """So that long streams spread over new replicas."""
    async with serve(max_stream_age_seconds=0.05) as served:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await finish(start(served.stub, "server_stream", "live", metadata=served.bearer))
    meant = status.from_call(caught.value)
    assert (meant.reason, meant.values["resume_after"]) == ("STREAM_MAX_AGE", "7")


@pytest.mark.parametrize("kind", KINDS)
async def test_what_does_not_end_is_cut_when_the_time_is_over(serve: Serve, kind: str) -> None:
    """The drain ends whatever its handlers do."""
    async with serve(drain_seconds=0.2) as served:
        call = start(served.stub, kind, "wait", metadata=served.bearer)
        reading = asyncio.create_task(finish(call))
        await eventually(lambda: served.echo.waiting == 1, what="a call runs")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await reading
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert served.echo.waiting == 0


async def test_reflection_does_not_hold_up_the_drain(serve: Serve) -> None:
    """An open reflection stream is ended like any other."""
    async with serve(drain_seconds=20) as served:
        method: Any = served.channel.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
        call = method()
        await call.write(reflection_pb2.ServerReflectionRequest(list_services="").SerializeToString())
        await call.read()
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < 15
    assert await call.code() is grpc.StatusCode.UNAVAILABLE
