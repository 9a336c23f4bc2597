"""Server reflection under both of its names, so that grpcurl needs no files.

grpcio-reflection offers v1alpha only. v1 is the same messages under another name (grpc/grpc-proto
reflection/v1/reflection.proto), so the same servicer answers both.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
import grpc.aio
from google.protobuf import descriptor_pool
from grpc_reflection.v1alpha import reflection, reflection_pb2
from grpc_reflection.v1alpha._async import ReflectionServicer

from services.common.drain import Drain

V1 = "grpc.reflection.v1.ServerReflection"


class _Pool:
    """The generated messages' descriptors, by the names that reflection.proto allows.

    Python's own pool knows no method, `<package>.<service>.<method>`.
    """

    def __getattr__(self, name: str) -> Any:
        return getattr(descriptor_pool.Default(), name)

    def FindFileContainingSymbol(self, symbol: str) -> Any:
        """The file of a service, method, message, field, enum …; KeyError if there is none."""
        pool = descriptor_pool.Default()
        try:
            return pool.FindFileContainingSymbol(symbol)
        except KeyError:
            return pool.FindMethodByName(symbol).containing_service.file


class Reflection(ReflectionServicer):  # type: ignore[misc]  # the package has no stubs
    """Answers until the client is done, or the process stops."""

    def __init__(self, services: Sequence[str], drain: Drain) -> None:
        super().__init__(service_names=services, pool=_Pool())
        self._drain = drain

    async def ServerReflectionInfo(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        """One answer to each request."""
        with self._drain.life() as life:
            async for answer in super().ServerReflectionInfo(life.until_over(requests), context):
                yield answer
            if life.over:
                raise life.ended(resume_after="")


def add_reflection(server: grpc.aio.Server, services: Sequence[str], drain: Drain) -> None:
    """Registers reflection for these full service names, and for itself."""
    servicer = Reflection((*services, reflection.SERVICE_NAME), drain)
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    methods = {"ServerReflectionInfo": handler}
    server.add_generic_rpc_handlers(
        tuple(grpc.method_handlers_generic_handler(name, methods) for name in (reflection.SERVICE_NAME, V1))
    )
