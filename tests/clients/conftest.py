"""A real PostgreSQL, for the SQL that `keys` writes."""

from tests.services.postgres import own_postgres

__all__ = ["own_postgres"]
