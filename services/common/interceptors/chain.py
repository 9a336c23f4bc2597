"""One shape for all four kinds of call, so that each interceptor is written once.

A handler may be a coroutine, an async generator, or a coroutine that calls `context.write`; here each becomes a
`Behaviour`: a coroutine function that takes a request (or the iterator of requests) and the context, and returns the
response (or, having written its responses, None). A `Layer` makes a Behaviour from the next one. The layers are put
together once for each method, not for each call: what a layer can decide by the method costs nothing later.
"""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from services.common import semconv
from services.common.errors import Unimplemented

# Requests, responses and contexts are of every type here: the stubs know them, the layers pass them on.
Behaviour = Callable[[Any, Any], Awaitable[Any]]
Received = Callable[[Any], None]
Sending = Callable[[Any], None]

# Asked by probes and tools, before anybody has a token: no auth, no spans, no log lines.
INFRASTRUCTURE = frozenset(
    {
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    }
)


@dataclass(frozen=True, slots=True)
class Method:
    """What is called: `user.v1.UserService`, `GetUser`, and which sides stream."""

    service: str
    name: str
    streams_requests: bool = False
    streams_responses: bool = False

    @classmethod
    def parse(cls, path: str | bytes, *, streams_requests: bool, streams_responses: bool) -> "Method":
        """From `/user.v1.UserService/GetUser`."""
        text = path.decode() if isinstance(path, bytes) else path
        service, _, name = text.lstrip("/").rpartition("/")
        return cls(service, name, streams_requests, streams_responses)

    @property
    def path(self) -> str:
        """As it is on the wire."""
        return f"/{self.full_name}"

    @property
    def full_name(self) -> str:
        """`user.v1.UserService/GetUser`, as OpenTelemetry's conventions have it."""
        return f"{self.service}/{self.name}" if self.service else self.name

    @property
    def package(self) -> str:
        """`user.v1`: the domain of its errors."""
        return self.service.rpartition(".")[0] or "grpc"

    @property
    def streams(self) -> bool:
        """Whether either side streams."""
        return self.streams_requests or self.streams_responses

    @property
    def kind(self) -> str:
        """The words of go-grpc-prometheus."""
        return {
            (False, False): "unary",
            (True, False): "client_stream",
            (False, True): "server_stream",
            (True, True): "bidi_stream",
        }[self.streams_requests, self.streams_responses]


Layer = Callable[[Method, Behaviour], Behaviour]

# All methods that nobody serves: whatever a caller calls them, they have one name in spans, metrics and logs.
UNSERVED = Method("", semconv.OTHER, streams_requests=True, streams_responses=True)


class ServerChain(grpc.aio.ServerInterceptor):
    """All layers as one interceptor; the first layer is the outermost. It must be the server's only interceptor."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._layers = tuple(layers)
        self._handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
        refusing: Any = grpc.stream_stream_rpc_method_handler(_refuse, bytes)
        self._unserved = _surrounded(refusing, UNSERVED, self._layers)

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """The method's handler within the layers; for a method that nobody serves, one that says so."""
        path: str = handler_call_details.method
        handler = self._handlers.get(path)
        if handler is None:
            bare = await continuation(handler_call_details)
            if bare is None:
                return self._unserved
            method = Method.parse(
                path, streams_requests=bare.request_streaming, streams_responses=bare.response_streaming
            )
            handler = self._handlers[path] = _surrounded(bare, method, self._layers)
        return handler


async def _refuse(_requests: Any, _context: Any) -> None:
    raise Unimplemented("METHOD_NOT_FOUND", "no service here has this method")


def _surrounded(handler: Any, method: Method, layers: Sequence[Layer]) -> "grpc.RpcMethodHandler[Any, Any]":
    if method.streams_requests:
        serve = handler.stream_stream if method.streams_responses else handler.stream_unary
    else:
        serve = handler.unary_stream if method.streams_responses else handler.unary_unary
    behaviour = _written(serve) if method.streams_responses else _returned(serve)
    if method.streams:
        behaviour = _apart(behaviour)
    for layer in reversed(layers):
        behaviour = layer(method, behaviour)
    make: Any = {
        "unary": grpc.unary_unary_rpc_method_handler,
        "client_stream": grpc.stream_unary_rpc_method_handler,
        "server_stream": grpc.unary_stream_rpc_method_handler,
        "bidi_stream": grpc.stream_stream_rpc_method_handler,
    }[method.kind]
    surrounded: grpc.RpcMethodHandler[Any, Any] = make(
        behaviour, _lenient(handler.request_deserializer), handler.response_serializer
    )
    return surrounded


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands for a request whose bytes are not its message, so that its call goes through the layers as any other.

    (gRPC itself would end the call outside of them, as UNKNOWN with the name of a Python exception.)
    """

    size: int

    def ByteSize(self) -> int:
        """As of a message, for those that count bytes."""
        return self.size


def _lenient(deserialize: Any) -> Any:
    def read(serialized: bytes) -> Any:
        try:
            return deserialize(serialized)
        except DecodeError:
            return Unreadable(len(serialized))

    return read


def _returned(serve: Any) -> Behaviour:
    async def behaviour(request: Any, context: Any) -> Any:
        result = serve(request, context)
        return await result if inspect.isawaitable(result) else result

    return behaviour


def _written(serve: Any) -> Behaviour:
    async def behaviour(request: Any, context: Any) -> None:
        result = serve(request, context)
        if inspect.isawaitable(result):
            await result
            return
        # Closed here and now: a generator left to the collector would keep its database cursor for a while.
        async with aclosing(result) as responses:
            async for response in responses:
                await context.write(response)

    return behaviour


def _apart(proceed: Behaviour) -> Behaviour:
    """In a task of its own: else each of a stream's messages would wake the handler through all layers around it, which
    costs a sixth of what a message does. A cancelled call still cancels its handler, and ends after it."""

    # Proceeds within the task: the coroutine of a task that is cancelled before it began is nobody's to await.
    async def handled(request: Any, context: Any) -> Any:
        return await proceed(request, context)

    async def behaviour(request: Any, context: Any) -> Any:
        return await asyncio.create_task(handled(request, context))

    return behaviour


class StreamContext:
    """A servicer context that tells of each message read and each to be written; all else is the context's own."""

    __slots__ = ("_context", "_received", "_sending")

    def __init__(self, context: Any, received: Received | None = None, sending: Sending | None = None) -> None:
        self._context = context
        self._received = received
        self._sending = sending

    async def read(self) -> Any:
        """The next request, or grpc.aio.EOF."""
        message = await self._context.read()
        if self._received is not None and message is not grpc.aio.EOF:
            self._received(message)
        return message

    def write(self, message: Any) -> Awaitable[None]:
        """Sends one response. (No coroutine of its own: of a write that many readers get, layers are half the cost.)"""
        if self._sending is not None:
            self._sending(message)
        written: Awaitable[None] = self._context.write(message)
        return written

    def __getattr__(self, name: str) -> Any:
        """Everything that is not read or write."""
        return getattr(self._context, name)


async def each_received(requests: AsyncIterator[Any], received: Received) -> AsyncIterator[Any]:
    """The same requests, each told of before it is given on."""
    async for request in requests:
        received(request)
        yield request
