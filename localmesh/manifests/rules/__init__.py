"""What one document must hold on its own: the checks of istiod's validation, one module per kind."""

from collections.abc import Iterator

from localmesh.errors import Problem
from localmesh.manifests.record import Resource


def problems(resource: Resource) -> Iterator[Problem]:
    """What istiod (or the API server, by the kind's schema) would reject this document for."""
    yield from ()


def warnings(resource: Resource) -> Iterator[Problem]:
    """What istiod would accept and warn about."""
    yield from ()
