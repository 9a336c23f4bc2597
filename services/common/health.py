"""grpc.health.v1: what a probe asks for by name, and the loop that keeps the answers true.

""                      the process serves calls: SERVING, NOT_SERVING while draining
liveness                the process lives: SERVING until it exits; for livenessProbe (a restart would not mend a store)
readiness, and each     SERVING while all stores answer and the process is not draining; for readinessProbe
service's full name
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.common.drain import DRAINING, Drain
from services.common.errors import NotFound, Resource, StreamEnded

# Returns when the store answers; raises whatever it likes when it does not.
Check = Callable[[], Awaitable[object]]

LIVENESS = "liveness"
READINESS = "readiness"

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN

_SHORT_PAUSE_SECONDS, _PAUSE_SECONDS = 0.02, 1.0

log = logging.getLogger(__name__)


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # the package has no stubs
    """The health service. Its answers follow from two facts: do the stores answer, and does the process stop."""

    def __init__(self, services: Sequence[str], drain: Drain) -> None:
        """`services` are full names such as `user.v1.UserService`. Not ready until somebody says so."""
        self._ready_names = frozenset({READINESS, *services})
        self._drain = drain
        self._ready = False
        self._changed = asyncio.Event()

    def set_ready(self, ready: bool) -> None:
        """All stores answer, or not."""
        if ready != self._ready:
            self._ready = ready
            self.tell()

    def tell(self) -> None:
        """Wakes those who watch."""
        self._changed.set()
        self._changed = asyncio.Event()

    def status(self, service: str) -> int:
        """The present answer for this name."""
        if service == LIVENESS:
            return int(_SERVING)
        if service == "":
            return int(_NOT_SERVING if self._drain.draining else _SERVING)
        if service in self._ready_names:
            return int(_SERVING if self._ready and not self._drain.draining else _NOT_SERVING)
        return int(_UNKNOWN)

    async def Check(self, request: Any, context: Any) -> Any:
        """One answer. NOT_FOUND for an unknown name."""
        status = self.status(request.service)
        if status == _UNKNOWN:
            raise NotFound(
                "HEALTH_UNKNOWN_SERVICE",
                "no service is called {service!r}",
                resource=Resource("grpc.service", request.service),
                service=request.service,
            )
        return health_pb2.HealthCheckResponse(status=status)

    async def List(self, request: Any, context: Any) -> Any:
        """All names with their answers."""
        names = ("", LIVENESS, *sorted(self._ready_names))
        return health_pb2.HealthListResponse(
            statuses={name: health_pb2.HealthCheckResponse(status=self.status(name)) for name in names}
        )

    async def Watch(self, request: Any, context: Any) -> None:
        """Each change, from the present answer on, until the process stops."""
        last = None
        while True:
            changed, status = self._changed, self.status(request.service)
            if status != last:
                last = status
                await context.write(health_pb2.HealthCheckResponse(status=status))
            if self._drain.draining:
                raise StreamEnded(DRAINING, "")
            await changed.wait()


async def follow_stores(health: Health, stores: Mapping[str, Check], *, limit_seconds: float = 2.0) -> None:
    """Asks all stores again and again and tells `health`; runs until it is cancelled. A change is logged once.

    Every second while they answer; after a failure soon, then less and less often: a start, or a return, is to be
    noticed at once.
    """
    away: frozenset[str] | None = None
    pause = _SHORT_PAUSE_SECONDS
    while True:
        answers = await asyncio.gather(*(_answers(check, limit_seconds) for check in stores.values()))
        now_away = frozenset(name for name, answered in zip(stores, answers, strict=True) if not answered)
        if now_away != away:
            away, pause = now_away, _SHORT_PAUSE_SECONDS
            if away:
                log.warning("not ready: no answer from %s", ", ".join(sorted(away)))
            else:
                log.info("ready")
        health.set_ready(not away)
        pause = min(pause * 1.5, _PAUSE_SECONDS) if away else _PAUSE_SECONDS
        await asyncio.sleep(pause)


async def _answers(check: Check, limit_seconds: float) -> bool:
    try:
        async with asyncio.timeout(limit_seconds):
            await check()
    except Exception:
        return False
    return True
