"""DestinationRule: its host, its subsets, and who sees it."""

from collections.abc import Iterator

from localmesh.errors import Problem
from localmesh.manifests.istio.destination_rule import DestinationRule, TrafficPolicy
from localmesh.manifests.rules import selectors, traffic_policy, visibility
from localmesh.manifests.rules.names import wrong_host, wrong_label


def problems(resource: DestinationRule) -> Iterator[Problem]:
    """What istiod would reject it for."""
    spec = resource.spec
    if wrong := wrong_host(spec.host):
        yield Problem(spec.at("host"), wrong)
    names: set[str] = set()
    for subset in spec.subsets:
        if subset.name in names:
            yield Problem(subset.at("name"), f'the subset "{subset.name}" is written twice')
        names.add(subset.name)
        if wrong := wrong_label(subset.name, "subset"):
            yield Problem(subset.at("name"), wrong)
        yield from selectors.label_problems(subset.labels, subset.at("labels"))
    for policy in _policies(resource):
        yield from traffic_policy.problems(policy)
    selected = spec.workload_selector is not None
    yield from visibility.problems(spec.export_to, resource.namespace, spec.at("export_to"), selector=selected)
    yield from selectors.problems(spec.workload_selector)


def warnings(resource: DestinationRule) -> Iterator[Problem]:
    """What istiod would warn about."""
    yield from selectors.warnings(resource.spec.workload_selector)
    for policy in _policies(resource):
        yield from traffic_policy.warnings(policy)


def _policies(resource: DestinationRule) -> Iterator[TrafficPolicy]:
    spec = resource.spec
    for policy in (spec.traffic_policy, *(subset.traffic_policy for subset in spec.subsets)):
        if policy is not None:
            yield policy
