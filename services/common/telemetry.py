"""Traces and metrics of a process, and the listener that /metrics is read from.

With OTEL_TRACES_EXPORTER=otlp spans are recorded, by OTEL_TRACES_SAMPLER, and leave as `export` says. Without it spans
that nobody asked for are not recorded, but the trace context (W3C) still goes on to the next service.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from opentelemetry.propagate import set_global_textmap
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from services.common.export import Export, Queue
from services.common.gathering import Gathering
from services.common.interceptors.metrics import CallMetrics
from services.common.settings import SettingsError
from services.common.statements import Statements


@dataclass(frozen=True)
class Telemetry:
    """What the process tells of itself. `registry` takes further metrics of the service's own."""

    tracer_provider: TracerProvider
    export: Export | None = None
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    server_calls: CallMetrics = field(init=False)
    client_calls: CallMetrics = field(init=False)
    statements: Statements = field(init=False)
    gathering: Gathering = field(init=False)

    def __post_init__(self) -> None:
        """Registers the metrics of calls, of the database and of the process."""
        object.__setattr__(self, "server_calls", CallMetrics(self.registry, "server"))
        object.__setattr__(self, "client_calls", CallMetrics(self.registry, "client"))
        object.__setattr__(self, "statements", Statements(self.tracer_provider, self.registry))
        object.__setattr__(self, "gathering", Gathering(self.tracer_provider))
        ProcessCollector(registry=self.registry)

    async def close(self, seconds: float) -> None:
        """Sends the spans that wait. What is not taken within `seconds` is lost; all is, if the collector is away."""
        sending = asyncio.create_task(asyncio.to_thread(self.tracer_provider.shutdown))
        if self.export is not None:
            await asyncio.wait([sending], timeout=0 if self.export.lost else seconds)
            if not sending.done():
                self.export.shutdown()
        await sending


def set_up(service: str, pod: str, *, version: str = "", exporter: str = "none") -> Telemetry:
    """Telemetry of one process; `exporter` is `none` or `otlp`.

    Makes the W3C trace context the process's only propagation format.
    """
    set_global_textmap(TraceContextTextMapPropagator())
    resource = Resource.create({"service.name": service, "service.version": version, "service.instance.id": pod})
    if exporter == "none":
        # The parent's decision still goes on: a trace begun by a proxy must not end here.
        return Telemetry(TracerProvider(resource=resource, sampler=ParentBased(ALWAYS_OFF)))
    registry = CollectorRegistry()
    export = Export(registry)
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(Queue(export))
    return Telemetry(provider, export, registry)


@asynccontextmanager
async def metrics_served(registry: CollectorRegistry, listen: str) -> AsyncIterator[None]:
    """GET /metrics on `host:port` or `unix:/path` while the context lasts. Raises SettingsError if it cannot listen."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(5):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(_response(head, registry))
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # a scraper that goes away is not our trouble
        finally:
            writer.close()

    try:
        if listen.startswith("unix:"):
            server = await asyncio.start_unix_server(answer, listen.removeprefix("unix:"))
        else:
            host, _, port = listen.rpartition(":")
            server = await asyncio.start_server(answer, host.strip("[]"), int(port))
    except OSError as error:
        raise SettingsError(f"METRICS_LISTEN cannot be listened on: {listen}: {error.strerror}") from None
    try:
        yield
    finally:
        server.close()


def _response(head: bytes, registry: CollectorRegistry) -> bytes:
    """HTTP/1.1, one request to a connection: all that a scraper needs."""
    method, _, rest = head.partition(b" ")
    path = rest.split(b" ", 1)[0].split(b"?", 1)[0]
    if path != b"/metrics":
        status, kind, body = "404 Not Found", "text/plain", b"only /metrics is here\n"
    elif method not in (b"GET", b"HEAD"):
        status, kind, body = "405 Method Not Allowed", "text/plain", b"GET it\n"
    else:
        status, kind, body = "200 OK", CONTENT_TYPE_LATEST, generate_latest(registry)
    lines = (
        f"HTTP/1.1 {status}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        "Connection: close",
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (b"" if method == b"HEAD" else body)
