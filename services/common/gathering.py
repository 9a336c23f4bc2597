"""Spans of work that is done once for many callers who wait for it: a commit of many messages, a query for many ids.

Each caller has a span for its own wait. The work's span is a child of the first of them, so that the usual trace, of a
lone caller, is one tree; it links to the waits of the others, and each of those to it. Nothing is recorded for callers
whose calls are not.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    NoOpTracerProvider,
    Span,
    TracerProvider,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.util.types import AttributeValue

from services.common.spans import span

# What the SDK keeps of a span's links (OTEL_SPAN_LINK_COUNT_LIMIT). The waits' own links to the work are all there.
MOST_LINKS = 128


class Gathering:
    """Makes both kinds of spans."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer(__name__)

    def waiting(self, name: str) -> AbstractContextManager[Span]:
        """The wait of the current call; give its span to `working`."""
        return span(self._tracer, name) if get_current_span().is_recording() else nullcontext(INVALID_SPAN)

    def working(
        self, name: str, waits: Iterable[Span], attributes: Mapping[str, AttributeValue]
    ) -> AbstractContextManager[object]:
        """The work that these wait for; what it does inside is told of its span."""
        recorded = [wait for wait in waits if wait.is_recording()]
        return self._work(name, recorded, attributes) if recorded else nullcontext()

    @contextmanager
    def _work(self, name: str, recorded: Sequence[Span], attributes: Mapping[str, AttributeValue]) -> Iterator[None]:
        first, *others = recorded
        links = [Link(wait.get_span_context()) for wait in others[:MOST_LINKS]]
        with span(self._tracer, name, parent=set_span_in_context(first), links=links, attributes=attributes) as work:
            for wait in others:
                wait.add_link(work.get_span_context())
            yield


UNTOLD = Gathering(NoOpTracerProvider())
