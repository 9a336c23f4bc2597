"""One log line for each call, both sides: who, what, how it ended, how long; never a token or a message's text.

Here only the values are gathered; `services.common.logs` makes JSON of them off the event loop.
"""

import logging
import re
import time
from typing import Any

import grpc
from opentelemetry.trace import SpanContext

from services.common import identity, logs
from services.common.interceptors import tally
from services.common.interceptors.chain import INFRASTRUCTURE, Behaviour, Method
from services.common.interceptors.outcome import code_of, planned_end

_log = logging.getLogger("access")

# Ours to mend, or signs of trouble; everything else is the caller's business.
_WARNINGS = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    }
)
_URI = re.compile(r"""URI=("?)([^;,"]+)\1""")


def logged(method: Method, proceed: Behaviour) -> Behaviour:
    """The layer of the server side. Probes and reflection leave no line."""
    if method.service in INFRASTRUCTURE:
        return proceed
    path = method.path

    async def behaviour(request: Any, context: Any) -> Any:
        begun = time.perf_counter()
        raised: BaseException | None = None
        try:
            return await proceed(request, context)
        except BaseException as error:
            raised = error
            raise
        finally:
            code = code_of(raised, context)
            caller, told = identity.current_or_none(), tally.current()
            write(
                "served",
                path,
                code,
                begun,
                planned=bool(planned_end(raised)),
                peer=peer_spiffe_id(context.invocation_metadata()),
                user=caller.subject if caller else "",
                request_bytes=told.received_bytes,
                response_bytes=told.sent_bytes,
            )

    return behaviour


def write(
    event: str,
    path: str,
    code: grpc.StatusCode,
    begun: float,
    *,
    span: SpanContext | None = None,
    planned: bool = False,
    peer: str = "",
    user: str = "",
    request_bytes: int,
    response_bytes: int | None,
) -> None:
    """One line; INFO, or WARNING where a person should look.

    `begun` is on time.perf_counter(); `span` is the current one if not given; `planned`: whoever ended it meant to.
    """
    level = logging.WARNING if code in _WARNINGS and not planned else logging.INFO
    if not _log.isEnabledFor(level):
        return
    call = logs.Call(
        method=path,
        code=code.name,
        latency_ms=round((time.perf_counter() - begun) * 1000, 3),
        peer=peer,
        user=user,
        request_bytes=request_bytes,
        response_bytes=response_bytes,
    )
    # Not _log.info(): finding the caller's line costs more than all the rest.
    record = logging.LogRecord("access", level, "", 0, event, None, None)
    record.call = call
    if span is not None:
        record.span = span
    _log.handle(record)


def peer_spiffe_id(metadata: Any) -> str:
    """Whom our own sidecar saw, by mTLS: the URI of the last element of x-forwarded-client-cert, which it appended."""
    for key, value in metadata or ():
        if key == "x-forwarded-client-cert" and isinstance(value, str):
            found = _URI.findall(value)
            return found[-1][1] if found else ""
    return ""
