"""What is told of work in the database: a span as a child of the call's, and how long it took by kind of statement.

A kind is a few words such as `SELECT users`; nothing else of a statement is told, no text and no value. What the
service does by itself (probes, looking for what the broker lost) is measured and has no span.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, TracerProvider, get_current_span
from prometheus_client import CollectorRegistry, Histogram

from services.common import semconv
from services.common.spans import failed, kind_of


class Statements:
    """One per process, for all its databases."""

    def __init__(self, provider: TracerProvider, registry: CollectorRegistry) -> None:
        self._tracer = provider.get_tracer(__name__)
        self._seconds = Histogram(
            semconv.DB_DURATION,
            "Database work, the wait for a connection included, in seconds.",
            semconv.DB_LABELS,
            buckets=semconv.DB_BUCKETS,
            registry=registry,
        )
        self._by_kind: dict[tuple[str, str], Histogram] = {}

    @contextmanager
    def told(self, kind: str) -> Iterator[None]:
        """Tells of what is done inside; `kind` is a constant: the operation, then what it is done to."""
        span: Span = INVALID_SPAN
        if get_current_span().is_recording():
            attributes = {
                semconv.DB_SYSTEM: semconv.POSTGRESQL,
                semconv.DB_OPERATION: kind.partition(" ")[0],
                semconv.DB_SUMMARY: kind,
            }
            span = self._tracer.start_span(kind, kind=SpanKind.CLIENT, attributes=attributes)
        begun = time.perf_counter()
        failure = ""
        try:
            yield
        except BaseException as error:
            failure = kind_of(error)
            failed(span, failure)
            raise
        finally:
            span.end()
            self._child(kind, failure).observe(time.perf_counter() - begun)

    def _child(self, kind: str, failure: str) -> Histogram:
        child = self._by_kind.get((kind, failure))
        if child is None:
            labels = (semconv.POSTGRESQL, kind, failure)
            child = self._by_kind[kind, failure] = self._seconds.labels(*labels)
        return child
