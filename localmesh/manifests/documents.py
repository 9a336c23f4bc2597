"""What loading gives: every document as a typed record, in the order of the files."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from operator import is_
from typing import Protocol, TypeVar, cast

from localmesh.errors import Problem, Where
from localmesh.manifests.mesh_config import MeshConfig
from localmesh.manifests.record import Record, Resource

R = TypeVar("R", bound=Resource)
T = TypeVar("T", bound=Record)


class RawDocument(Protocol):
    """A document that is handed on undecoded, for a part that brings its own records."""

    @property
    def where(self) -> Where:
        """Its place."""

    def decode(self, cls: type[T]) -> T:
        """The document as a record of class `cls`, read as strictly as everything else. Raises Problems."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A document that was understood and has no meaning outside a cluster."""

    where: Where
    kind: str
    name: str
    reason: str


@dataclass(frozen=True, eq=False)
class Documents:
    """All documents of a run, checked one by one; what refers to what is `resolve`'s business.

    Equal are those that hold the very same records: such as only say the same may stand on other lines.
    """

    resources: tuple[Resource, ...] = ()
    mesh_config: MeshConfig | None = None
    local: RawDocument | None = None
    """The LocalRun document, to be decoded by the part that owns its records: `local.decode(LocalRun)`."""
    skipped: tuple[Skipped, ...] = ()
    warnings: tuple[Problem, ...] = ()
    limits: frozenset[type[Resource]] | None = None
    """The kinds that may be asked for; None: all."""

    def of(self, kind: type[R]) -> tuple[R, ...]:
        """The documents of one kind, such as `documents.of(Service)`, in the order of the files.

        Raises LookupError for a kind that is kept from whoever asks (`only`): a mistake of ours.
        """
        if self.limits is not None and kind not in self.limits:
            raise LookupError(f"only {', '.join(sorted(each.__name__ for each in self.limits))}: no {kind.__name__}")
        return cast(tuple[R, ...], self._by_kind.get(kind, ()))

    @property
    def kinds(self) -> tuple[type[Resource], ...]:
        """The kinds of which there are documents."""
        return tuple(self._by_kind)

    def only(self, *kinds: type[Resource]) -> "Documents":
        """The documents of these kinds, and the mesh configuration: for who is to read nothing else."""
        found = tuple(each for kind in kinds for each in self.of(kind))
        return Documents(found, self.mesh_config, limits=frozenset(kinds))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Documents):
            return NotImplemented
        same = len(self.resources) == len(other.resources) and all(map(is_, self.resources, other.resources))
        return same and self.mesh_config is other.mesh_config and self.local is other.local

    def __hash__(self) -> int:
        return hash(tuple(map(id, self.resources)))

    @cached_property
    def _by_kind(self) -> Mapping[type[Resource], tuple[Resource, ...]]:
        found: dict[type[Resource], list[Resource]] = {}
        for each in self.resources:
            found.setdefault(type(each), []).append(each)
        return {kind: tuple(some) for kind, some in found.items()}
