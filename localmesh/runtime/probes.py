"""How one asks a program whether it is well: one question, one answer, no memory (that is `health`).

As Kubernetes' probes: https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/
"""

import asyncio
import contextlib
import os
import signal
from dataclasses import dataclass

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from localmesh.mesh.workloads import Asks, Probe
from localmesh.runtime.process import Launch, ending

UNIX = "unix:"


class Unwell(Exception):
    """The program is not well; the text says how that shows."""


class Silent(Unwell):
    """The program does not listen yet."""


@dataclass(frozen=True, slots=True)
class Question:
    """A probe and where this pod's program answers it: `unix:/path` or `127.x.y.z:port`. `launch` is of exec probes."""

    probe: Probe
    where: str = ""
    launch: Launch | None = None


async def ask(question: Question) -> None:
    """Ask once. Raises Unwell, also if no answer comes within the probe's timeout; Silent if nobody is there to ask."""
    if question.where.startswith(UNIX) and not os.path.exists(question.where.removeprefix(UNIX)):  # noqa: ASYNC240, PTH110
        raise Silent("it does not listen yet")
    kinds = {Asks.GRPC: _grpc, Asks.HTTP: _http, Asks.TCP: _tcp, Asks.EXEC: _exec}
    try:
        async with asyncio.timeout(question.probe.timeout):
            await kinds[question.probe.asks](question)
    except TimeoutError:
        raise Unwell(f"no answer within {question.probe.timeout:g} s") from None
    except OSError as error:
        raise Unwell(f"{question.where or question.probe.command}: {error.strerror or error}") from error


async def _grpc(question: Question) -> None:
    # A pool of its own: a connection that failed a moment ago must not make this question wait.
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]
    async with grpc.aio.insecure_channel(question.where, options=options) as channel:
        request = health_pb2.HealthCheckRequest(service=question.probe.service)
        try:
            answer = await health_pb2_grpc.HealthStub(channel).Check(request)
        except grpc.aio.AioRpcError as error:
            raise Unwell(f"grpc health check: {error.code().name}: {error.details()}") from None
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        raise Unwell(f"grpc health check: {health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)}")


async def _http(question: Question) -> None:
    reader, writer = await _connect(question.where)
    try:
        path = question.probe.path or "/"
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: localmesh\r\nConnection: close\r\n\r\n".encode()
        )
        await writer.drain()
        words = (await reader.readline()).decode("latin-1").split(maxsplit=2)
    except ValueError:  # a line without an end
        words = []
    finally:
        writer.close()
    if len(words) < 2 or not words[1].isdigit():
        raise Unwell("no HTTP answer")
    if not 200 <= int(words[1]) < 400:
        raise Unwell(f"HTTP status {words[1]}")


async def _tcp(question: Question) -> None:
    _, writer = await _connect(question.where)
    writer.close()


async def _exec(question: Question) -> None:
    launch = question.launch
    if launch is None:
        raise Unwell("an exec probe of a program that is not started")
    with launch.log.open("ab") as log:
        child = await asyncio.create_subprocess_exec(
            *launch.argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=log,
            env=dict(launch.env),
            cwd=launch.cwd,
            start_new_session=True,
        )
    try:
        code = await child.wait()
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        raise
    if code != 0:
        raise Unwell(f"{launch.command[0]}: {ending(code)}")


async def _connect(where: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if where.startswith(UNIX):
        return await asyncio.open_unix_connection(where.removeprefix(UNIX))
    host, _, port = where.rpartition(":")
    return await asyncio.open_connection(host, int(port))
