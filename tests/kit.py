"""Waiting in tests: for a condition, with a named limit; never for luck."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any, TypeVar, overload

T = TypeVar("T")


class Limit(Enum):
    """How long a condition may take, in seconds: far more than it does take. They end a hang and measure nothing."""

    SOON = 10.0  # a reply, a push, a state change
    STARTED = 60.0  # a process or a pod
    RECOVERED = 90.0  # after a kill


@overload
async def eventually(check: Callable[[], Awaitable[T]], *, within: Limit | float = ..., what: str) -> T: ...
@overload
async def eventually(check: Callable[[], T], *, within: Limit | float = ..., what: str) -> T: ...
async def eventually(check: Callable[[], Any], *, within: Limit | float = Limit.SOON, what: str) -> Any:
    """Call `check` until it returns something true without raising, and return that.

    Fails with `what` and the last error or value when the limit is over.
    """
    limit = within.value if isinstance(within, Limit) else within
    end = time.monotonic() + limit
    last: object = None
    while True:
        try:
            answer = check()
            value = await answer if inspect.isawaitable(answer) else answer
            if value:
                return value
            last = value
        except Exception as error:
            last = error
        if time.monotonic() > end:
            message = f"not within {limit:g} s: {what}; last seen: {last!r}"
            raise AssertionError(message) from (last if isinstance(last, BaseException) else None)
        await asyncio.sleep(0.02)
