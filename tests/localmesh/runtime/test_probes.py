"""Questions to real programs."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from localmesh.mesh.workloads import Asks, Probe
from localmesh.runtime import probes
from localmesh.runtime.dirs import Dirs
from localmesh.runtime.probes import Question, Silent, Unwell
from tests.kit import Limit
from tests.localmesh.runtime.kit import launch

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def answering(dirs: Dirs, answer: bytes) -> AsyncIterator[str]:
    """A server that answers anything with these bytes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(answer)
        writer.close()

    server = await asyncio.start_unix_server(handle, dirs.run / "http.sock")
    async with server:
        yield f"unix:{dirs.run}/http.sock"


@pytest.mark.parametrize("status", [200, 204, 302])
async def test_http_is_well_with_a_good_status(dirs: Dirs, status: int) -> None:
    async with answering(dirs, b"HTTP/1.1 %d X\r\n\r\n" % status) as where:
        await probes.ask(Question(Probe(Asks.HTTP), where))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 404 X\r\n\r\n", "HTTP status 404"),
        (b"HTTP/1.1 503\r\n", "HTTP status 503"),
        (b"", "no HTTP answer"),
        (b"x" * 200_000, "no HTTP answer"),
    ],
)
async def test_http_is_unwell_with_any_other(dirs: Dirs, answer: bytes, reason: str) -> None:
    async with answering(dirs, answer) as where:
        with pytest.raises(Unwell, match=reason):
            await probes.ask(Question(Probe(Asks.HTTP), where))


@pytest.mark.parametrize("asks", [Asks.TCP, Asks.HTTP, Asks.GRPC])
async def test_nobody_there_is_unwell(dirs: Dirs, asks: Asks) -> None:
    left = dirs.run / "left.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(left))
    for where in (f"unix:{left}", "127.15.201.1:1"):
        with pytest.raises(Unwell, match="UNAVAILABLE" if asks is Asks.GRPC else where):
            await probes.ask(Question(Probe(asks), where))
    with pytest.raises(Silent, match="it does not listen yet"):
        await probes.ask(Question(Probe(asks), f"unix:{dirs.run}/none.sock"))


@pytest.mark.parametrize("asks", [Asks.HTTP, Asks.GRPC])
async def test_no_answer_in_time_is_unwell(dirs: Dirs, asks: Asks) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_unix_server(silent, dirs.run / "s.sock"):
        with pytest.raises(Unwell, match=r"no answer within 0\.1 s"):
            await probes.ask(Question(Probe(asks, timeout=0.1), f"unix:{dirs.run}/s.sock"))


async def test_tcp_is_well_when_it_connects(dirs: Dirs) -> None:
    async with answering(dirs, b"") as where:
        await probes.ask(Question(Probe(Asks.TCP), where))


async def test_grpc_asks_the_service_that_the_probe_names(dirs: Dirs) -> None:
    server, servicer = grpc.aio.server(), health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    where = f"unix:{dirs.run}/grpc.sock"
    server.add_insecure_port(where)
    await server.start()
    await servicer.set("user", health_pb2.HealthCheckResponse.SERVING)
    await servicer.set("ill", health_pb2.HealthCheckResponse.NOT_SERVING)
    await probes.ask(Question(Probe(Asks.GRPC, service="user"), where))
    with pytest.raises(Unwell, match="NOT_SERVING"):
        await probes.ask(Question(Probe(Asks.GRPC, service="ill"), where))
    with pytest.raises(Unwell, match="NOT_FOUND"):
        await probes.ask(Question(Probe(Asks.GRPC, service="other"), where))
    await server.stop(None)


async def test_a_command_is_well_with_exit_status_0_and_has_the_programs_environment(dirs: Dirs) -> None:
    dirs.logs.joinpath("test.log").touch()
    well = launch(dirs, "sh", "-c", "test $COLOUR = green", env={"COLOUR": "green"})
    patient = Probe(Asks.EXEC, timeout=Limit.SOON.value)
    await probes.ask(Question(patient, launch=well))
    with pytest.raises(Unwell, match="exit status 1"):
        await probes.ask(Question(patient, launch=launch(dirs, "false")))
    with pytest.raises(Unwell, match=r"no answer within 0\.1 s"):
        await probes.ask(Question(Probe(Asks.EXEC, timeout=0.1), launch=launch(dirs, "sleep", "600")))
