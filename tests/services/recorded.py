"""Spans of a service in the test's process, kept as they end."""

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext

from services.common.telemetry import Telemetry


class Recorded:
    """Telemetry of the real SDK, whose spans a test looks at."""

    def __init__(self) -> None:
        self._spans = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._spans))
        self.telemetry = Telemetry(provider)
        self.tracer = provider.get_tracer("test")

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        """Those that have ended."""
        return self._spans.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        """Those of this name."""
        return [span for span in self.spans if span.name == name]

    def samples(self, name: str) -> dict[tuple[tuple[str, str], ...], float]:
        """The present values of a metric by its labels."""
        families = self.telemetry.registry.collect()
        return {
            tuple(sorted(one.labels.items())): one.value
            for family in families
            for one in family.samples
            if one.name == name
        }


def id_of(span: ReadableSpan) -> int:
    """Its id."""
    assert span.context is not None
    return int(span.context.span_id)


def parent_of(span: ReadableSpan) -> int | None:
    """Its parent's id."""
    return span.parent.span_id if span.parent else None


def links_of(span: ReadableSpan) -> set[int]:
    """The ids that it links to."""
    contexts: list[SpanContext] = [link.context for link in span.links]
    return {context.span_id for context in contexts}
