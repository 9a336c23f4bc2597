"""Being told how an outgoing call ended, whatever ended it."""

from collections.abc import Callable
from typing import Any

import grpc


def code_when_done(call: Any, ended: Callable[[grpc.StatusCode], None]) -> None:
    """Calls `ended` once with the call's code when it is over: answered, failed, cancelled or never read to its end."""

    def done(_: Any) -> None:
        ended(_code(call))

    call.add_done_callback(done)


def _code(call: Any) -> grpc.StatusCode:
    """The code of a finished call. `code()` is a coroutine that waits for the end, so now it returns at once."""
    asking = call.code()
    try:
        asking.send(None)
    except StopIteration as answer:
        code: grpc.StatusCode = answer.value
        return code
    asking.close()
    return grpc.StatusCode.UNKNOWN
