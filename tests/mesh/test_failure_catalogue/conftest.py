"""The policies of all entries, in force at once, and what a test of an entry begins with."""

from collections.abc import Iterator

import pytest

from tests.mesh.backend import Mesh
from tests.mesh.conftest import Lab
from tests.mesh.test_failure_catalogue.catalogue import ENTRIES, Entry
from tests.mesh.test_failure_catalogue.incidents import Incident
from tests.mesh.test_failure_catalogue.outside import Hasty, Refusing, Resetting, nobody, serving
from tests.mesh.test_failure_catalogue.policies import Outside, policies


@pytest.fixture(scope="package")
def outside() -> Iterator[Outside]:
    """What lives outside the mesh."""
    with nobody() as closed, serving(Refusing) as refusing, serving(Resetting) as resetting, serving(Hasty) as hasty:
        yield Outside(closed, refusing, resetting, hasty)


@pytest.fixture(scope="package", autouse=True)
def in_force(mesh: Mesh, outside: Outside) -> Iterator[None]:
    """All policies at once; each has calls of its own."""
    with mesh.policy(*policies(outside)):
        yield


@pytest.fixture
def entry(request: pytest.FixtureRequest) -> Entry:
    """What the page says."""
    return ENTRIES[request.param]


@pytest.fixture
def incident(mesh: Mesh, lab: Lab, entry: Entry) -> Incident:
    """No call yet."""
    return Incident(mesh, lab, entry)
