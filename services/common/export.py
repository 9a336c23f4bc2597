"""Spans on their way out, through the standard OTLP exporter (gRPC), which no call, start or end waits for.

The SDK's batch processor holds at most OTEL_BSP_MAX_QUEUE_SIZE spans and drops the oldest of more; a thread of its own
sends them. Where they go, OTEL_EXPORTER_OTLP_ENDPOINT says (`http://host:port` is plaintext) with its siblings:
https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

import logging
import threading
from collections.abc import Sequence
from typing import Protocol

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from prometheus_client import CollectorRegistry, Counter

from services.common import semconv

log = logging.getLogger(__name__)

# They tell of each try and each dropped span; what a person needs of that, this module says once.
_THEIR_EXPORTS = "opentelemetry.exporter.otlp.proto.grpc.exporter"
_THEIR_QUEUE = "opentelemetry.sdk._shared_internal"


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
        self._exporter: _Leaving | None = None
        self._lock = threading.Lock()
        self._over = False
        self.lost = 0  # spans, since the collector is away
        _words.text = ""
        logging.getLogger(_THEIR_EXPORTS).addFilter(_words)
        logging.getLogger(_THEIR_QUEUE).setLevel(logging.ERROR)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Sends the spans, on the thread of the batch processor: it tries for OTEL_EXPORTER_OTLP_TIMEOUT seconds."""
        try:
            exporter = self._loaded()
            result = SpanExportResult.FAILURE if exporter is None else exporter.export(spans)
        except Exception as error:  # whatever it is, the next spans get their chance
            _words.text = _words.text or f"{type(error).__name__}: {error}"
            result = SpanExportResult.FAILURE
        if result is SpanExportResult.SUCCESS:
            if self.lost:
                log.info("spans are taken again; %s were lost", self.lost)
            self.lost, _words.text = 0, ""
            self._taken.inc(len(spans))
        else:
            if not self.lost and _words.text:  # without a word it was we who gave up
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
