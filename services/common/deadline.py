"""How long the current call still has: set by the server side, given on to outgoing calls by the client side."""

import time
from contextvars import ContextVar

# On the clock of time.monotonic().
_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


def remaining_seconds() -> float | None:
    """What is left of the current call's time, never negative; None if it has no deadline."""
    deadline = _deadline.get()
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def set_remaining(seconds: float) -> None:
    """Gives the current call this much time from now, until it ends."""
    _deadline.set(time.monotonic() + seconds)
