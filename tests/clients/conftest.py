"""A real PostgreSQL, for the SQL that `keys` writes."""

from tests.services.postgres import new_cluster, own_postgres

__all__ = ["new_cluster", "own_postgres"]
