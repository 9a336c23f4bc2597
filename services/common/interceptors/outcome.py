"""How a call ends: whatever leaves the other layers becomes a status with details; no failure ends as OK."""

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any

import grpc
import grpc.aio

from services.common import errors, status
from services.common.interceptors.chain import Behaviour, Layer, Method, StreamContext

log = logging.getLogger(__name__)

# The cancellation that a deadline brings may come a moment before the deadline.
_LATE_SECONDS = 0.02

Headers = tuple[tuple[str, str], ...]

# The only statuses of a neighbour that are also the truth about us; any other means that we asked wrongly.
_PASSED_ON = (errors.Unavailable, errors.DeadlineExceeded)


def mapped_errors(replica: Headers) -> Layer:
    """Errors -> status. `replica` goes out as trailing metadata of failures: see `replica_headers` for why there."""

    def layer(method: Method, proceed: Behaviour) -> Behaviour:
        async def behaviour(request: Any, context: Any) -> Any:
            try:
                return await proceed(request, context)
            except grpc.aio.AbortError:
                raise  # the handler (health's, say) has already ended the call
            except asyncio.CancelledError:
                if _cancelled_from_outside():
                    raise
                # A task of the handler's own was cancelled. grpc.aio would never answer this call.
                log.exception("%s was cancelled from within", method.path)
                error: errors.DomainError = internal()
            except Exception as raised:
                error = domain_error(raised)
                if isinstance(error, errors.Internal):
                    log.exception("%s failed", method.path)
            meant = status.to_status(error, method.package)
            trailing = (*replica, (status.DETAILS_KEY, meant.SerializeToString()))
            try:
                await context.abort(status.code_of(error), meant.message, trailing)
            except grpc.aio.AbortError as aborted:
                raise aborted from error  # for those outside of this layer: see `planned_end`
            raise AssertionError("abort returned")

        return behaviour

    return layer


def replica_headers(replica: Headers) -> Layer:
    """Sends `replica` (x-pod, x-version): of a single response in the trailers, of a stream with its first response.

    A failure before the first response must be "trailers only": a proxy reads grpc-status for its retries in the
    response's headers, and once other headers were sent it cannot retry any more (Envoy, "x-envoy-retry-grpc-on").
    For the same reason a single response goes out in one piece, headers and all: a replica that is killed has then
    answered whole or not at all.
    """

    def layer(method: Method, proceed: Behaviour) -> Behaviour:
        async def unary(request: Any, context: Any) -> Any:
            response = await proceed(request, context)
            context.set_trailing_metadata(replica)
            return response

        async def streaming(request: Any, context: Any) -> None:
            headed = _Headed(context, replica)
            await proceed(request, headed)
            if not headed.begun:
                await context.send_initial_metadata(replica)

        return streaming if method.streams_responses else unary

    return layer


class _Headed(StreamContext):
    """A context whose first write sends the headers too."""

    __slots__ = ("_headers", "begun")

    def __init__(self, context: Any, headers: Headers) -> None:
        super().__init__(context)
        self._headers = headers
        self.begun = False

    def write(self, message: Any) -> Awaitable[None]:
        """Sends one response."""
        if self.begun:
            return super().write(message)
        self.begun = True
        return self._first(message)

    async def _first(self, message: Any) -> None:
        await self._context.send_initial_metadata(self._headers)
        await self._context.write(message)


def domain_error(raised: BaseException) -> errors.DomainError:
    """What an exception that left a handler means; Internal, which tells nothing, unless we know better."""
    if isinstance(raised, errors.DomainError):
        return raised
    if isinstance(raised, grpc.aio.AioRpcError):
        meant = status.from_call(raised)
        if isinstance(meant, _PASSED_ON):
            return meant
    return internal()


def internal() -> errors.Internal:
    """The error that tells nothing but that it was our fault."""
    return errors.Internal("INTERNAL", "the service failed; its log says why")


def code_of(raised: BaseException | None, context: Any) -> grpc.StatusCode:
    """How a call ends if `raised` leaves its handler (None: nothing does). For those who count and log."""
    if raised is None:
        return _set_code(context) or grpc.StatusCode.OK
    if isinstance(raised, asyncio.CancelledError):
        if not _cancelled_from_outside():
            return grpc.StatusCode.INTERNAL
        remaining = context.time_remaining()
        late = remaining is not None and remaining < _LATE_SECONDS
        return grpc.StatusCode.DEADLINE_EXCEEDED if late else grpc.StatusCode.CANCELLED
    if isinstance(raised, grpc.aio.AbortError):
        return _set_code(context) or grpc.StatusCode.UNKNOWN
    return status.code_of(domain_error(raised))


def planned_end(raised: BaseException | None) -> str:
    """Why a service has ended a stream on purpose (drain, age); empty where `raised` says anything else, or nothing.

    Such an end has the code UNAVAILABLE, because proxies and clients know what to do then, and is no fault of anybody.
    """
    cause = raised.__cause__ if isinstance(raised, grpc.aio.AbortError) else raised
    return cause.reason if isinstance(cause, errors.StreamEnded) else ""


def _cancelled_from_outside() -> bool:
    """Whether grpc.aio cancelled this call's task: its client went away, its deadline came, or the server stopped."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _set_code(context: Any) -> grpc.StatusCode | None:
    """What the handler itself set by set_code or abort."""
    code = context.code()
    return code if isinstance(code, grpc.StatusCode) else None
