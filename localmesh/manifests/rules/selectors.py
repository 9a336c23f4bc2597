"""Selectors and target references of policies."""

from collections.abc import Iterator, Mapping

from localmesh import codes
from localmesh.errors import Problem, Where
from localmesh.manifests.istio.common import LabelSelector, PolicyTargetReference, WorkloadSelector
from localmesh.manifests.rules.names import wrong_label_pair

_TARGETS = {("gateway.networking.k8s.io", "Gateway"), ("core", "Service"), ("networking.istio.io", "ServiceEntry")}
_GATEWAY_CLASS = ("gateway.networking.k8s.io", "GatewayClass")


def labels_of(selector: LabelSelector | WorkloadSelector) -> tuple[str, Mapping[str, str]]:
    """The field that holds the labels, and the labels."""
    if isinstance(selector, LabelSelector):
        return "match_labels", selector.match_labels
    return "labels", selector.labels


def problems(selector: LabelSelector | WorkloadSelector | None) -> Iterator[Problem]:
    """Empty keys and wildcards: a selector compares whole values."""
    if selector is None:
        return
    field, labels = labels_of(selector)
    for key, value in labels.items():
        if not key:
            yield Problem(selector.at(field, key), "a label's key is empty")
        if "*" in key or "*" in value:
            yield Problem(selector.at(field, key), f'"{key}: {value}": a selector takes no wildcards')


def warnings(selector: LabelSelector | WorkloadSelector | None) -> Iterator[Problem]:
    """A selector that selects everything."""
    if selector is not None and not labels_of(selector)[1]:
        yield codes.SELECTS_ALL.at(selector.where, "this selector has no labels: it selects every pod of the namespace")


def target_problems(
    target: PolicyTargetReference | None, targets: tuple[PolicyTargetReference, ...]
) -> Iterator[Problem]:
    """Targets that no policy can be attached to."""
    for each in (*((target,) if target else ()), *targets):
        if not each.name:
            yield Problem(each.at("name"), "the target's name is empty")
        if each.namespace:
            yield Problem(each.at("namespace"), "a target is always in the policy's own namespace", "leave it out")
        if (each.group or "core", each.kind) not in _TARGETS | {_GATEWAY_CLASS}:
            allowed = ", ".join(sorted(f"{kind} ({group})" for group, kind in _TARGETS))
            yield Problem(each.at("kind"), f"a policy cannot be attached to a {each.kind}", f"one of {allowed}")


def label_problems(labels: Mapping[str, str], where: Where) -> Iterator[Problem]:
    """Labels that no pod can have."""
    for key, value in labels.items():
        if wrong := wrong_label_pair(key, value):
            yield Problem(where, wrong)
