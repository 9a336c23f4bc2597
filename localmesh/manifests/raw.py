"""The `RawDocument` that loading gives."""

from dataclasses import dataclass, field
from typing import TypeVar

import yaml

from localmesh.errors import Where
from localmesh.manifests.decode import decode_document
from localmesh.manifests.record import Record

T = TypeVar("T", bound=Record)


@dataclass(frozen=True, slots=True, eq=False)
class YamlDocument:
    """A YAML document and its place; `decode` reads it as strictly as everything else.

    Equal only to itself: another at the same place may say something else.
    """

    where: Where
    kind: str
    node: yaml.MappingNode = field(repr=False)

    def decode(self, cls: type[T]) -> T:
        """As RawDocument says."""
        return decode_document(self.node, cls, self.where.file)
