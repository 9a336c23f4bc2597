"""Spans of our own, whose failures tell of what kind they are and never their text: texts hold users' values."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.util.types import AttributeValue

from services.common import semconv
from services.common.errors import DomainError


@contextmanager
def span(
    tracer: Tracer,
    name: str,
    *,
    parent: Context | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    links: Sequence[Link] = (),
    attributes: Mapping[str, AttributeValue] | None = None,
) -> Iterator[Span]:
    """The current span of what is done inside; a child of the present one if no `parent` is given."""
    with tracer.start_as_current_span(
        name, parent, kind, attributes, links, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield current
        except BaseException as error:
            failed(current, kind_of(error))
            raise


def failed(span: Span, kind: str) -> None:
    """What the span tells of has failed; `kind` is one of a few constant words."""
    span.set_attribute(semconv.ERROR_TYPE, kind)
    span.set_status(Status(StatusCode.ERROR))


def kind_of(error: BaseException) -> str:
    """The reason of an error of ours, the type of any other."""
    return error.reason if isinstance(error, DomainError) else type(error).__name__
