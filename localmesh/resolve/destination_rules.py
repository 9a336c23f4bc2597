"""The DestinationRules of a mesh: which one shapes a service for a client.

A client's own namespace is asked first, then the service's, then the root namespace; in each the most specific host
wins. Rules for one host in one namespace are merged: subsets are united, the oldest traffic policy stays.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from localmesh.errors import Where
from localmesh.manifests.documents import Documents
from localmesh.manifests.istio import DestinationRule
from localmesh.manifests.istio.destination_rule import Subset, TrafficPolicy
from localmesh.mesh.identity import Labels
from localmesh.resolve.hosts import HostIndex, qualified
from localmesh.resolve.selection import is_exported, oldest_first, selects
from localmesh.resolve.settings import Settings


@dataclass(frozen=True, slots=True)
class HostRule:
    """All DestinationRules of one namespace for one host (and one workload selector), merged."""

    host: str
    namespace: str
    policy: TrafficPolicy | None
    subsets: tuple[Subset, ...]
    export_to: tuple[str, ...]
    selector: Labels | None
    where: Where
    written: tuple[DestinationRule, ...] = ()

    def merged(self, other: "HostRule") -> "HostRule":
        """With the subsets of a younger rule that have new names; its policy only where there was none."""
        names = {each.name for each in self.subsets}
        return replace(
            self,
            policy=self.policy or other.policy,
            subsets=self.subsets + tuple(each for each in other.subsets if each.name not in names),
            written=self.written + other.written,
        )


Rules = HostIndex[list[HostRule]]


class DestinationRules:
    """All DestinationRules, found in the length of a host's name."""

    def __init__(self, documents: Documents, settings: Settings) -> None:
        self._root = settings.root_namespace
        self._local: dict[str, Rules] = defaultdict(HostIndex)
        self._exported: dict[str, Rules] = defaultdict(HostIndex)
        self.selector_labels: set[str] = set()
        for each in oldest_first(documents.of(DestinationRule)):
            rule = _host_rule(each, settings)
            self.selector_labels |= set(rule.selector or ())
            _add(self._local[each.namespace], rule)
            if rule.selector is None and not set(rule.export_to) <= {".", each.namespace}:
                _add(self._exported[each.namespace], rule)

    def of(self, host: str, service_namespace: str, client_namespace: str, labels: Labels | None) -> HostRule | None:
        """The rule by which a client treats a host. Labels None: rules with selectors do not count."""
        found = None
        if client_namespace != self._root:
            found = self._in(self._local, client_namespace, host)
        for namespace in (service_namespace, self._root):
            if found is None:
                exported = self._in(self._exported, namespace, host) or []
                found = [each for each in exported if is_exported(each.export_to, namespace, client_namespace)] or None
        if found is None and client_namespace == self._root:
            found = self._in(self._local, self._root, host)
        return _choose(found or [], client_namespace, labels)

    def subset_labels(self, host: str, subset: str) -> list[Labels]:
        """The labels of all subsets of this name that any rule defines for a host."""
        found = []
        for rules in self._local.values():
            for rule in rules.most_specific(host) or []:
                found += [each.labels for each in rule.subsets if each.name == subset]
        return found

    def subsets_of(self, host: str) -> set[str]:
        """All subset names that any rule defines for a host, for hints."""
        found: set[str] = set()
        for rules in self._local.values():
            found |= {subset.name for rule in rules.most_specific(host) or [] for subset in rule.subsets}
        return found

    @staticmethod
    def _in(index: dict[str, Rules], namespace: str, host: str) -> list[HostRule] | None:
        return index[namespace].most_specific(host) if namespace in index else None


def _choose(rules: Iterable[HostRule], client_namespace: str, labels: Labels | None) -> HostRule | None:
    """The first that selects the client, else the last without a selector."""
    without: HostRule | None = None
    for rule in rules:
        if rule.selector is None:
            without = rule
        elif labels is not None and rule.namespace == client_namespace and selects(rule.selector, labels):
            return rule
    return without


def _host_rule(written: DestinationRule, settings: Settings) -> HostRule:
    spec = written.spec
    return HostRule(
        host=qualified(spec.host, written.namespace),
        namespace=written.namespace,
        policy=spec.traffic_policy,
        subsets=spec.subsets,
        export_to=spec.export_to or settings.destination_rule_export_to,
        selector=spec.workload_selector.match_labels if spec.workload_selector else None,
        where=written.where,
        written=(written,),
    )


def _add(index: Rules, rule: HostRule) -> None:
    """Merged into the rule of the same host and selector, or as one more."""
    rules = index.put_first(rule.host, [])
    for position, each in enumerate(rules):
        if each.selector == rule.selector:
            rules[position] = each.merged(rule)
            return
    rules.append(rule)
