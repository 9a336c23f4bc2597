"""The control API, served by the process that runs the mesh: each call is a call of `RunningMesh`."""

import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import grpc

from localmesh.control import control_pb2 as messages
from localmesh.control.control_pb2_grpc import ControlServiceServicer, add_ControlServiceServicer_to_server
from localmesh.control.failures import TRAILER, encode, encode_problems
from localmesh.control.messages import encode_status
from localmesh.control.policies import encode_policy
from localmesh.control.traces import MOST_TRACES, decode_filter, encode_spans, encode_trace
from localmesh.errors import MeshError, Problems
from localmesh.stopping import stopped
from localmesh.up.running import RunningMesh

Q = TypeVar("Q")
R = TypeVar("R")
Context = Any  # grpc.aio.ServicerContext[Q, R], which differs for each method


@asynccontextmanager
async def serving(mesh: RunningMesh, socket: Path) -> AsyncIterator[None]:
    """Answers on this socket (mode 0600) inside the block. What is still being answered at its end gets a second."""
    server = grpc.aio.server()
    add_ControlServiceServicer_to_server(Control(mesh), server)
    _bind(server, socket)
    await server.start()
    try:
        yield
    finally:
        await stopped(server, grace=1.0)


def _bind(server: grpc.aio.Server, socket: Path) -> None:
    socket.unlink(missing_ok=True)
    server.add_insecure_port(f"unix:{socket}")
    socket.chmod(0o600)


def told(
    method: Callable[["Control", Q, Context], Awaitable[R]],
) -> Callable[["Control", Q, Context], Awaitable[R]]:
    """Tells the caller of a MeshError as a Failure; anything else is a bug, and logged by gRPC with its traceback."""

    @functools.wraps(method)
    async def answer(self: "Control", request: Q, context: Context) -> R:
        try:
            return await method(self, request, context)
        except MeshError as error:
            await _fail(error, context)
            raise AssertionError("abort raises") from error

    return answer


async def _fail(error: MeshError, context: Context) -> None:
    """End the call with what is wrong."""
    wrong_input = isinstance(error, Problems)
    code = grpc.StatusCode.INVALID_ARGUMENT if wrong_input else grpc.StatusCode.FAILED_PRECONDITION
    context.set_trailing_metadata(((TRAILER, encode(error).SerializeToString()),))
    await context.abort(code, error.what.partition("\n")[0])


class Control(ControlServiceServicer):
    """The servicer. What each call promises stands in control.proto."""

    def __init__(self, mesh: RunningMesh) -> None:
        self._mesh = mesh

    @told
    async def GetStatus(self, request: messages.GetStatusRequest, context: Context) -> messages.Status:
        """See control.proto."""
        return encode_status(self._mesh.status())

    async def WatchStatus(
        self, request: messages.WatchStatusRequest, context: Context
    ) -> AsyncIterator[messages.Status]:
        """See control.proto."""
        async for status in self._mesh.statuses():
            yield encode_status(status)

    @told
    async def Apply(self, request: messages.ApplyRequest, context: Context) -> messages.ApplyResponse:
        """See control.proto."""
        applied = await self._mesh.apply()
        return messages.ApplyResponse(
            changed=applied.changed, seconds=applied.seconds, warnings=encode_problems(applied.warnings)
        )

    @told
    async def GetConfig(self, request: messages.GetConfigRequest, context: Context) -> messages.GetConfigResponse:
        """See control.proto."""
        return messages.GetConfigResponse(json=self._mesh.config(request.pod))

    @told
    async def ListPolicies(
        self, request: messages.ListPoliciesRequest, context: Context
    ) -> messages.ListPoliciesResponse:
        """See control.proto."""
        return messages.ListPoliciesResponse(policies=map(encode_policy, self._mesh.policies()))

    @told
    async def ListTraces(self, request: messages.ListTracesRequest, context: Context) -> messages.ListTracesResponse:
        """See control.proto."""
        found = self._mesh.traces().traces(decode_filter(request.filter), request.limit or MOST_TRACES)
        return messages.ListTracesResponse(traces=map(encode_trace, found))

    @told
    async def GetTrace(self, request: messages.GetTraceRequest, context: Context) -> messages.GetTraceResponse:
        """See control.proto."""
        return encode_spans(self._mesh.traces().trace(request.id))

    async def WatchTraces(
        self, request: messages.WatchTracesRequest, context: Context
    ) -> AsyncIterator[messages.TraceSummary]:
        """See control.proto."""
        try:
            arriving = self._mesh.traces().watch(decode_filter(request.filter))
        except MeshError as error:
            await _fail(error, context)
        async for trace in arriving:
            yield encode_trace(trace)

    @told
    async def Scale(self, request: messages.ScaleRequest, context: Context) -> messages.ScaleResponse:
        """See control.proto."""
        await self._mesh.scale(request.workload, request.replicas)
        return messages.ScaleResponse()

    @told
    async def Restart(self, request: messages.RestartRequest, context: Context) -> messages.RestartResponse:
        """See control.proto."""
        await self._mesh.restart(request.workload)
        return messages.RestartResponse()

    @told
    async def Kill(self, request: messages.KillRequest, context: Context) -> messages.KillResponse:
        """See control.proto."""
        self._mesh.kill(request.pod, request.signal, request.container)
        return messages.KillResponse()
