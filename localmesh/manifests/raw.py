"""A document that is handed on undecoded, for a part that brings its own records."""

from dataclasses import dataclass, field
from typing import TypeVar

import yaml

from localmesh.errors import Where
from localmesh.manifests.decode import decode_document
from localmesh.manifests.record import Record

T = TypeVar("T", bound=Record)


@dataclass(frozen=True, slots=True)
class RawDocument:
    """A YAML document and its place; `decode` reads it as strictly as everything else."""

    where: Where
    kind: str
    node: yaml.MappingNode = field(repr=False, compare=False)

    def decode(self, cls: type[T]) -> T:
        """The document as a record of class `cls` (a subclass of Record, or of Resource). Raises Problems."""
        return decode_document(self.node, cls, self.where.file)
