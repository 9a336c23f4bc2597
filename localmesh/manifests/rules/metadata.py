"""Names of objects, as the API server takes them. Files and processes are named after them here."""

import re
from collections.abc import Iterator

from localmesh.errors import Problem
from localmesh.manifests.record import Resource

_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")
_NAMESPACE = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")


def problems(resource: Resource) -> Iterator[Problem]:
    """A missing name, and names that no object of a cluster can have (RFC 1123, lower case)."""
    metadata = resource.metadata
    if not metadata.name:
        yield Problem(metadata.at("name"), "every document needs a name")
    elif len(metadata.name) > 253 or not _NAME.fullmatch(metadata.name):
        what = f'"{metadata.name}" is not a name'
        yield Problem(metadata.at("name"), what, 'lower-case letters, digits, "-" and "."')
    if metadata.namespace and (len(metadata.namespace) > 63 or not _NAMESPACE.fullmatch(metadata.namespace)):
        what = f'"{metadata.namespace}" is not a namespace'
        yield Problem(metadata.at("namespace"), what, 'lower-case letters, digits and "-"')
