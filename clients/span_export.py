"""Spans on their way out: a thread sends them every second, and what is left when the command ends.

A collector that is away, or slow, costs a second at most (OTEL_BSP_EXPORT_TIMEOUT, in milliseconds, is stronger) and is
not told of: it is not what the person has asked for.
"""

import logging
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import grpc
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

SERVICE = "client"
_EXIT_MILLISECONDS = 1000.0
# What a long command has called so far can be looked at meanwhile.
_EVERY_MILLISECONDS = 1000.0
# Not UNAVAILABLE: its pause before another try would be the pause before the next prompt.
_WORTH_ANOTHER_TRY = (grpc.StatusCode.RESOURCE_EXHAUSTED,)


@contextmanager
def sending(endpoint: str, environ: Mapping[str, str]) -> Iterator[None]:
    """Sets the provider of this process's spans, and sends them to `endpoint`; at the end of the block what waits."""
    # Without a handler Python itself would print what they complain of.
    logging.getLogger("opentelemetry").addHandler(logging.NullHandler())
    logging.getLogger("opentelemetry").propagate = False
    export = Export(endpoint)
    name = environ.get("OTEL_SERVICE_NAME") or SERVICE
    resource = Resource.create({"service.name": name, "service.instance.id": f"{name}-{os.getpid()}"})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(export, schedule_delay_millis=_EVERY_MILLISECONDS))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        ending = threading.Thread(target=provider.shutdown, daemon=True)
        ending.start()
        ending.join(_milliseconds(environ.get("OTEL_BSP_EXPORT_TIMEOUT", "")) / 1000)
        export.give_up()


def _milliseconds(given: str) -> float:
    """The time that an end may take."""
    return float(given) if given.isdecimal() else _EXIT_MILLISECONDS


class Export(SpanExporter):
    """The standard exporter, loaded when the first spans leave: 30 ms that no call should wait for."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._exporter: Any = None
        self._over = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Sends them, on the processor's thread."""
        if self._exporter is None:
            from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

            self._exporter = OTLPSpanExporter(
                self._endpoint,
                insecure=self._endpoint.startswith("unix:") or None,
                retryable_error_codes=_WORTH_ANOTHER_TRY,
            )
        if self._over:  # while it was loaded
            return SpanExportResult.FAILURE
        result: SpanExportResult = self._exporter.export(spans)
        return result

    def give_up(self) -> None:
        """Cuts what is under way; nothing is begun from now on."""
        self._over = True
        if self._exporter is not None:
            self._exporter.shutdown()
