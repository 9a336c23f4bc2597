"""No unary call without an end: a default for callers that set no deadline, a maximum for all.

The caller's own deadline is enforced by gRPC, which cancels the handler; what is left of it goes on to outgoing calls.
A stream has no default (it lives until its `drain.Life` ends), but a deadline that its caller set holds.
"""

import asyncio
from typing import Any

from services.common import deadline
from services.common.errors import DeadlineExceeded
from services.common.interceptors.chain import Behaviour, Layer, Method


def limited(default_seconds: float, max_seconds: float) -> Layer:
    """`default_seconds` for unary calls without a deadline, at most `max_seconds` for any unary call."""

    def layer(method: Method, proceed: Behaviour) -> Behaviour:
        async def streaming(request: Any, context: Any) -> Any:
            remaining = context.time_remaining()
            if remaining is not None:
                deadline.set_remaining(remaining)
            return await proceed(request, context)

        async def unary(request: Any, context: Any) -> Any:
            remaining = context.time_remaining()
            if remaining is not None and remaining <= max_seconds:
                deadline.set_remaining(remaining)
                return await proceed(request, context)
            limit = default_seconds if remaining is None else max_seconds
            deadline.set_remaining(limit)
            return await _within(limit, proceed(request, context))

        return streaming if method.streams else unary

    return layer


async def _within(seconds: float, work: Any) -> Any:
    timeout = asyncio.timeout(seconds)
    try:
        async with timeout:
            return await work
    except TimeoutError:
        if not timeout.expired():
            raise  # the handler's own
        raise DeadlineExceeded(
            "SERVER_DEADLINE", "the call took more than {seconds} s", seconds=f"{seconds:g}"
        ) from None
