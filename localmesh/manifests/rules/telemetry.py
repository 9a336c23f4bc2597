"""Telemetry: providers, sampling, tags, metric overrides and log filters."""

from collections.abc import Iterator, Sequence

from localmesh import codes
from localmesh.errors import Problem
from localmesh.manifests.istio.telemetry import CustomTag, Metrics, ProviderRef, Telemetry, Tracing
from localmesh.manifests.rules import selectors
from localmesh.manifests.rules.cel import wrong_expression


def problems(resource: Telemetry) -> Iterator[Problem]:
    """What istiod would reject it for."""
    spec = resource.spec
    yield from selectors.problems(spec.selector)
    yield from selectors.target_problems(spec.target_ref, spec.target_refs)
    for tracing in spec.tracing:
        yield from _tracing(tracing)
    for metrics in spec.metrics:
        yield from _metrics(metrics)
    for logging in spec.access_logging:
        yield from _providers(logging.providers)
        expression = logging.filter.expression if logging.filter else None
        if logging.filter and expression and (wrong := wrong_expression(expression)):
            yield Problem(logging.filter.at("expression"), wrong)


def warnings(resource: Telemetry) -> Iterator[Problem]:
    """What istiod would warn about."""
    spec = resource.spec
    yield from selectors.warnings(spec.selector)
    for tracing in spec.tracing[1:]:
        yield codes.SECOND_TRACING.at(tracing.where, "only the first tracing of a Telemetry counts")
    for tracing in spec.tracing:
        if len(tracing.providers) > 1:
            yield codes.SECOND_TRACING.at(tracing.at("providers"), "only one tracing provider counts")


def _providers(providers: Sequence[ProviderRef]) -> Iterator[Problem]:
    for each in providers:
        if not each.name:
            yield Problem(each.at("name"), "the provider's name is empty")


def _tracing(tracing: Tracing) -> Iterator[Problem]:
    yield from _providers(tracing.providers)
    share = tracing.random_sampling_percentage
    if share is not None and not 0 <= share <= 100:
        yield Problem(tracing.at("random_sampling_percentage"), f"{share:g} is not a share: 0 to 100 percent")
    for name, tag in tracing.custom_tags.items():
        if not name:
            yield Problem(tag.where, "the tag's name is empty")
        yield from _tag(tag)


def _tag(tag: CustomTag) -> Iterator[Problem]:
    for part, field in (
        (tag.literal, "value"),
        (tag.formatter, "value"),
        (tag.header, "name"),
        (tag.environment, "name"),
    ):
        if part is not None and not getattr(part, field):
            yield Problem(part.at(field), f"the tag's {field} is empty")


def _metrics(metrics: Metrics) -> Iterator[Problem]:
    yield from _providers(metrics.providers)
    for override in metrics.overrides:
        if override.match and override.match.custom_metric == "":
            yield Problem(override.match.at("custom_metric"), "the metric's name is empty")
        for tag in override.tag_overrides.values():
            if tag.operation == "REMOVE" and tag.value:
                yield Problem(tag.at("value"), "REMOVE takes no value")
            if tag.operation in {None, "UPSERT"} and not tag.value:
                yield Problem(tag.where, "value is missing", "what is the tag to be?")
