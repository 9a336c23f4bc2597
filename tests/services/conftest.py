"""What the tests of both services share."""

from pathlib import Path

import pytest

from tests.services.issuer import Issuer
from tests.services.postgres import new_cluster, own_postgres, postgres

__all__ = ["issuer", "new_cluster", "own_postgres", "postgres"]


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    """Makes tokens that the services under test accept."""
    return Issuer(Path(tmp_path_factory.mktemp("jwks")))
