"""What applies to what: labels, the order of documents by age, and who a document is exported to."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

from localmesh.manifests.record import Resource

R = TypeVar("R", bound=Resource)
T = TypeVar("T")


def selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether `labels` hold all of `selector`; an empty selector selects everything."""
    return all(labels.get(key) == value for key, value in selector.items())


def age(resource: Resource) -> tuple[str, str, str]:
    """A sort key, the oldest first; without a creation time as if there from the beginning, then by name."""
    return (resource.metadata.creation_timestamp or "", resource.name, resource.namespace)


def oldest_first(resources: Iterable[R]) -> list[R]:
    """As istiod orders documents whose order matters."""
    return sorted(resources, key=age)


def is_exported(export_to: Iterable[str], owner: str, namespace: str) -> bool:
    """Whether a document of namespace `owner` is seen from `namespace`. `.`: its own; `*`: all; `~`: nobody."""
    return any(
        each == "*" or (each == "." and owner == namespace) or (each not in {".", "~"} and each == namespace)
        for each in export_to
    )


class Selected(Generic[T]):
    """Policies by namespace and selector; finding those of a pod looks only at its own labels, not at all policies."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, str], list[tuple[int, Mapping[str, str], T]]] = defaultdict(list)
        self._count = 0

    def add(self, namespace: str, selector: Mapping[str, str], policy: T) -> None:
        """Policies come back in the order in which they are added. An empty selector is a whole namespace."""
        key, value = next(iter(selector.items()), ("", ""))
        self._found[namespace, key, value].append((self._count, selector, policy))
        self._count += 1

    def of(self, namespace: str, labels: Mapping[str, str]) -> list[T]:
        """The policies of `namespace` that select a pod with these labels."""
        if not self._found:
            return []
        keys = [("", ""), *labels.items()]
        candidates = [each for key, value in keys for each in self._found.get((namespace, key, value), ())]
        return [policy for _, selector, policy in sorted(candidates, key=_first) if selects(selector, labels)]


def _first(candidate: tuple[int, Mapping[str, str], T]) -> int:
    return candidate[0]
