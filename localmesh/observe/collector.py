"""The OTLP receiver: gRPC on a Unix socket, in the place of a cluster's collector.

Proxies and apps reach it as the service that deploy/local.yaml names under `collectors`. What makes spans of bytes is
imported with the first of them: a start does not wait for it.
"""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc

from localmesh.errors import MeshError
from localmesh.stopping import stopped

if TYPE_CHECKING:
    from localmesh.observe.spans import Span

SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"
# An ExportTraceServiceResponse without `partial_success`: all was taken.
ACCEPTED = b""
# Of one export. gRPC's own limit is 4 MiB, which a batch of large spans may pass.
MESSAGE_BYTES = 16 * 1024 * 1024


@asynccontextmanager
async def receiving(socket: Path, take: "Callable[[Iterable[Span]], None]") -> AsyncIterator[None]:
    """Hands the spans of each export to `take` inside the block; what is no export is answered INVALID_ARGUMENT.

    The socket is this user's alone (mode 0600). Raises MeshError if it cannot be made.
    """
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", MESSAGE_BYTES)])
    export = grpc.unary_unary_rpc_method_handler(_export(take), request_deserializer=bytes, response_serializer=bytes)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Export": export}),))
    _bind(server, socket)
    await server.start()
    try:
        yield
    finally:
        await stopped(server)


def _bind(server: grpc.aio.Server, socket: Path) -> None:
    socket.unlink(missing_ok=True)
    try:
        server.add_insecure_port(f"unix:{socket}")
    except RuntimeError as error:
        raise MeshError(f"cannot listen on {socket}: {error}", "a shorter --state folder") from error
    socket.chmod(0o600)


def _export(take: "Callable[[Iterable[Span]], None]") -> Callable[[bytes, Any], Any]:
    async def export(request: bytes, context: Any) -> bytes:
        from localmesh.observe.spans import received  # noqa: PLC0415

        try:
            spans = received(request)
        except ValueError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        take(spans)
        return ACCEPTED

    return export
