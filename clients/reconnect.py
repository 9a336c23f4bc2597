"""When a stream ends with an error: whether to come again, and how long to wait first."""

import asyncio
import random
from dataclasses import dataclass

import grpc

from clients import failure

# Said by a service that ends a stream on purpose: another replica, or the same one, takes over at once.
_ENDED_ON_PURPOSE = ("STREAM_DRAINING", "STREAM_MAX_AGE", "SLOW_READER")
# Also the reason for which a call is refused at its beginning: then another one would be too.
_EXPIRED = "TOKEN_EXPIRED"
# What a cut connection looks like, depending on who cut it and when: Envoy resets a stream whose replica died after the
# first response, and gRPC calls a reset INTERNAL, CANCELLED or UNKNOWN by its HTTP/2 code.
_CUT = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.DEADLINE_EXCEEDED,
)


def may_resume(error: grpc.aio.AioRpcError) -> bool:
    """Whether the stream can go on elsewhere. What a service refused with a reason, it refuses again."""
    if at_once(error) or error.code() is grpc.StatusCode.UNAVAILABLE:
        return True
    return error.code() in _CUT and not failure.reason(error)


def at_once(error: grpc.aio.AioRpcError) -> bool:
    """Whether the service ended the stream on purpose, so that there is nothing to wait for."""
    reason = failure.reason(error)
    return reason in _ENDED_ON_PURPOSE or (reason == _EXPIRED and failure.says_where_to_go_on(error))


@dataclass(frozen=True, slots=True)
class Lost:
    """The stream was cut; another one is tried after `wait_seconds`. Told once per loss, then at each failed try."""

    why: str
    attempt: int
    wait_seconds: float


@dataclass(frozen=True, slots=True)
class Back:
    """The stream is there again, and nothing was missed."""

    after_seconds: float


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential with full jitter: a thousand clients that lost one replica do not come back in one moment."""

    first_seconds: float = 0.2
    most_seconds: float = 5.0

    def seconds(self, attempt: int) -> float:
        """How long to wait before the `attempt`th try in a row, counted from 1."""
        ceiling = min(self.most_seconds, self.first_seconds * 2 ** min(attempt - 1, 30))
        return random.uniform(ceiling / 10, ceiling)  # noqa: S311  # spread, not a secret


async def pause(attempt: int) -> None:
    """Waits before the next try of something that a person waits for."""
    await asyncio.sleep(Backoff().seconds(attempt))
