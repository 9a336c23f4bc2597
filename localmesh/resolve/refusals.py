"""Refusing by name what `unsupported.REFUSED` lists, at the line where it is written."""

from collections.abc import Iterable, Mapping
from functools import cache

from localmesh.manifests.documents import Documents
from localmesh.manifests.kubernetes import Service
from localmesh.manifests.providers import ExtensionProvider
from localmesh.manifests.record import Record, inner_records
from localmesh.resolve.findings import Findings
from localmesh.resolve.unsupported import REFUSED, Refusal


def refuse_in_documents(documents: Documents, findings: Findings) -> None:
    """All of it in Services and in Istio's documents. Pods and providers are looked at where they are used."""
    for resource in documents.resources:
        if isinstance(resource, Service) or not _of_kubernetes(type(resource)):
            refuse(resource, findings)


def refuse_in_mesh_config(documents: Documents, findings: Findings) -> None:
    """All of it in the mesh configuration."""
    if documents.mesh_config is not None:
        refuse(documents.mesh_config, findings)


def refuse(record: Record, findings: Findings) -> None:
    """Everything of this kind in a record and in those within it."""
    kind: type = type(record)
    for each in _own(kind):
        found = each.of(record)
        if found is not None:
            name, where = found
            findings.unsupported(where, name, each.why, "Kubernetes" if _of_kubernetes(each.record) else "Istio")
    for field in _leading(kind):
        for inner in _records(getattr(record, field)):
            refuse(inner, findings)


def _of_kubernetes(record: type[Record]) -> bool:
    return ".kubernetes." in record.__module__


@cache
def _own(record: type) -> tuple[Refusal, ...]:
    return tuple(each for each in REFUSED if each.record is record)


@cache
def _leading(record: type) -> tuple[str, ...]:
    """The fields behind which something can be refused. What providers hold counts only where one is used."""
    return tuple(
        field for field, inner in inner_records(record).items() if inner is not ExtensionProvider and _may_refuse(inner)
    )


def _may_refuse(record: type) -> bool:
    return bool(_own(record) or _leading(record))


def _records(value: object) -> Iterable[Record]:
    if isinstance(value, Record):
        return (value,)
    if isinstance(value, Mapping):
        return (each for each in value.values() if isinstance(each, Record))
    return (each for each in value if isinstance(each, Record)) if isinstance(value, tuple) else ()
