"""Numbered SQL files, applied once each, in order, all pending ones in one transaction or none."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Replicas start together: the first holds this lock of its database while the others wait, then find nothing to do.
_LOCK = 0x6D69_6772  # "migr"
_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


@dataclass(frozen=True, slots=True, order=True)
class Migration:
    """One file, `0001_users.sql`."""

    version: int
    name: str
    sql: str


def read(folder: Path) -> tuple[Migration, ...]:
    """The migrations of a folder. Raises ValueError unless they are numbered 1, 2, 3 and so on."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = _NAME.fullmatch(path.name)
        if match is None:
            raise ValueError(f"{path.name}: a migration is called 0001_what.sql")
        found.append(Migration(int(match[1]), path.name, path.read_text()))
    versions = [migration.version for migration in found]
    if versions != list(range(1, len(found) + 1)):
        raise ValueError(f"migrations must be numbered from 1 without a gap, not {versions}")
    return tuple(found)


async def migrate(connection: Any, folder: Path) -> tuple[str, ...]:
    """Applies what is pending, and returns the names. Versions newer than this code are left alone (a rollback)."""
    migrations = read(folder)
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock($1)", _LOCK)
        await connection.execute(
            "create table if not exists schema_migrations"
            " (version int primary key, name text not null, applied_at timestamptz not null default now())"
        )
        applied = {row["version"] for row in await connection.fetch("select version from schema_migrations")}
        pending = [migration for migration in migrations if migration.version not in applied]
        for migration in pending:
            await connection.execute(migration.sql)
            await connection.execute(
                "insert into schema_migrations (version, name) values ($1, $2)", migration.version, migration.name
            )
    return tuple(migration.name for migration in pending)
