"""YAML text -> typed, strict, frozen records that remember file, line and column.

`load` reads files and folders into `Documents`. Every record is a `Record`: `where` is its place, `at("field")` the
place of one of its fields. What is wrong is raised at once, as `localmesh.errors.Problems`.
"""

from localmesh.manifests.documents import Documents, RawDocument, Skipped
from localmesh.manifests.load import load, loads
from localmesh.manifests.record import Metadata, Record, Resource

__all__ = ["Documents", "Metadata", "RawDocument", "Record", "Resource", "Skipped", "load", "loads"]
