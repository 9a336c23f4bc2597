"""What loading gives: every document as a typed record, in the order of the files."""

from dataclasses import dataclass
from typing import Protocol, TypeVar

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


@dataclass(frozen=True, slots=True)
class Documents:
    """All documents of a run, checked one by one; what refers to what is `resolve`'s business."""

    resources: tuple[Resource, ...] = ()
    mesh_config: MeshConfig | None = None
    local: RawDocument | None = None
    """The LocalRun document, to be decoded by the part that owns its records: `local.decode(LocalRun)`."""
    skipped: tuple[Skipped, ...] = ()
    warnings: tuple[Problem, ...] = ()

    def of(self, kind: type[R]) -> tuple[R, ...]:
        """The documents of one kind, such as `documents.of(Service)`, in the order of the files."""
        return tuple(each for each in self.resources if isinstance(each, kind))
