"""Spans on their way out, through the standard OTLP exporter (gRPC), which no call, start or end waits for.

At most OTEL_BSP_MAX_QUEUE_SIZE spans wait for the SDK's thread that sends them; of more the newest are dropped, which
is counted and said. Where they go, OTEL_EXPORTER_OTLP_ENDPOINT says (`http://host:port` is plaintext), with siblings:
https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

import logging
import os
import threading
from collections.abc import Sequence
from typing import Protocol

from opentelemetry.sdk.environment_variables import OTEL_BSP_MAX_QUEUE_SIZE
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from prometheus_client import CollectorRegistry, Counter

from services.common import semconv

log = logging.getLogger(__name__)

# They tell of each try; what a person needs of that, this module says once.
_THEIR_EXPORTS = "opentelemetry.exporter.otlp.proto.grpc.exporter"

# OTEL_BSP_MAX_QUEUE_SIZE as OpenTelemetry has it where it is not set.
_MOST = 2048


class _Leaving(Protocol):
    """What the exporter that is loaded later can do."""

    def export(self, spans: Sequence[ReadableSpan], /) -> SpanExportResult: ...
    def shutdown(self) -> None: ...


class _FirstWords(logging.Filter):
    """Keeps the first warning of a logger, which tells why, and lets nothing through."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def filter(self, record: logging.LogRecord) -> bool:
        """Never."""
        if record.levelno >= logging.WARNING:
            self.text = self.text or record.getMessage()
        return False


_words = _FirstWords()


class Export(SpanExporter):
    """The OTLP exporter, loaded when the first spans leave (30 ms that no start should wait for).

    A collector that does not answer, or answers again, is said once in the log.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        what = "Spans that left, or were lost on the way (error_type)."
        exported = Counter(semconv.SPANS_EXPORTED, what, ("error_type",), registry=registry)
        self._taken, self._missed = exported.labels(""), exported.labels(semconv.LOST)
        processed = Counter(
            semconv.SPANS_PROCESSED, "Spans that ended (error_type).", ("error_type",), registry=registry
        )
        self._queued, self._dropped = processed.labels(""), processed.labels(semconv.QUEUE_FULL)
        self._waiting = 0  # spans, queued or being sent
        self._full = False
        self._exporter: _Leaving | None = None
        self._lock = threading.Lock()
        self._over = False
        self.lost = 0  # spans, since the collector is away
        _words.text = ""
        logging.getLogger(_THEIR_EXPORTS).addFilter(_words)

    def may_wait(self, most: int) -> bool:
        """Whether one more span may wait, where at most `most` may.

        The first that may not is said in the log, and again only after all had left.
        """
        with self._lock:
            fits = self._waiting < most
            self._waiting += fits
            said, self._full = self._full, self._full or not fits
        (self._queued if fits else self._dropped).inc()
        if not fits and not said:
            log.warning("spans are dropped: %s wait to leave, and there is room for no more", most)
        return fits

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Sends the spans, on the thread of the batch processor: it tries for OTEL_EXPORTER_OTLP_TIMEOUT seconds."""
        try:
            exporter = self._loaded()
            result = SpanExportResult.FAILURE if exporter is None else exporter.export(spans)
        except Exception as error:  # whatever it is, the next spans get their chance
            _words.text = _words.text or f"{type(error).__name__}: {error}"
            result = SpanExportResult.FAILURE
        with self._lock:
            self._waiting -= len(spans)
            self._full = self._full and self._waiting > 0
        if result is SpanExportResult.SUCCESS:
            if self.lost:
                log.info("spans are taken again; %s were lost", self.lost)
            self.lost, _words.text = 0, ""
            self._taken.inc(len(spans))
        else:
            if not self.lost and not self._over:  # else it was we who gave up
                log.warning("spans are lost until their collector takes them: %s", _words.text)
            self.lost += len(spans)
            self._missed.inc(len(spans))
        return result

    def shutdown(self) -> None:
        """Ends at once, also what is under way: it is lost."""
        with self._lock:
            self._over = True
            exporter = self._exporter
        if exporter is not None:
            exporter.shutdown()

    def _loaded(self) -> _Leaving | None:
        if self._exporter is None:
            from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

            exporter = OTLPSpanExporter()
            with self._lock:
                if self._over:
                    exporter.shutdown()
                    return None
                self._exporter = exporter
        return self._exporter


class Queue(BatchSpanProcessor):
    """The SDK's queue and its thread, which would drop the oldest spans of a full queue and tell only its own log."""

    def __init__(self, export: Export) -> None:
        self._export = export
        self._most = _most(os.environ.get(OTEL_BSP_MAX_QUEUE_SIZE, ""))
        super().__init__(export, max_queue_size=self._most)

    def on_end(self, span: ReadableSpan) -> None:
        """A span that was recorded waits to be sent, if there is room."""
        if span.context is not None and span.context.trace_flags.sampled and self._export.may_wait(self._most):
            super().on_end(span)


def _most(given: str) -> int:
    """The spans that may wait; the specification's default where there is no number."""
    return int(given) if given.isdecimal() else _MOST
