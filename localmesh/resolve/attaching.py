"""Which pods a policy is attached to, as istiod's WorkloadPolicyMatcher has it: by their labels, or by their Gateway.

Only gateway pods of the Gateway API have a target's name, in a label. A Service or ServiceEntry as target speaks to the
waypoints of ambient mode, and is refused.
"""

from collections.abc import Iterator
from typing import Generic, TypeVar

from localmesh.manifests.istio.common import Attached, PolicyTargetReference
from localmesh.manifests.record import Resource
from localmesh.mesh.identity import Labels
from localmesh.resolve.pods import GATEWAY_NAME
from localmesh.resolve.selection import Selected

T = TypeVar("T")


def targets(spec: Attached) -> tuple[PolicyTargetReference, ...]:
    """What a policy names, also by the older field for one."""
    return spec.target_refs or ((spec.target_ref,) if spec.target_ref else ())


def attached_labels(spec: Attached) -> Iterator[Labels]:
    """Pods with one of these sets of labels have the policy; the empty set is a whole namespace."""
    named = targets(spec)
    if named:
        yield from ({GATEWAY_NAME: name} for name in dict.fromkeys(each.name for each in named))
    else:
        yield spec.selector.match_labels if spec.selector else {}


class Attaching(Generic[T]):
    """Policies of all namespaces; those of the root namespace reach every other too, unless they name a target."""

    def __init__(self, root_namespace: str) -> None:
        self._root = root_namespace
        self._own: Selected[T] = Selected()
        self._everywhere: Selected[T] = Selected()

    def add(self, written: Resource, spec: Attached, policy: T) -> None:
        """What one document says. Policies come back in the order in which they are added."""
        for labels in attached_labels(spec):
            self._own.add(written.namespace, labels, policy)
            if written.namespace == self._root and not targets(spec):
                self._everywhere.add(written.namespace, labels, policy)

    def of(self, namespace: str, labels: Labels) -> list[T]:
        """The policies of a pod: the root namespace's first, then those of its own namespace."""
        own = self._own.of(namespace, labels)
        return own if namespace == self._root else self._everywhere.of(self._root, labels) + own
