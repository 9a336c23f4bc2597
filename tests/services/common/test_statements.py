"""What is told of work in the database: by its kind, never by its text or values."""

from pathlib import Path

import asyncpg
import pytest
from opentelemetry.trace import SpanKind, StatusCode

from services.common.errors import DeadlineExceeded, Unavailable
from services.common.postgres import Database, open_database
from tests.kit import Limit, eventually
from tests.services.postgres import Postgres, answers
from tests.services.recorded import Recorded, id_of, parent_of

DURATION = "db_client_operation_duration_seconds_count"


def _labels(kind: str, failure: str = "") -> tuple[tuple[str, str], ...]:
    return (("db_query_summary", kind), ("db_system_name", "postgresql"), ("error_type", failure))


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    """One migration that makes a table."""
    (tmp_path / "0001_t.sql").write_text("create table t (word text primary key)")
    return tmp_path


async def _connected(database: Database) -> None:
    await eventually(lambda: answers(database), within=Limit.STARTED, what="the database answers")


async def test_work_of_a_traced_call_is_its_child_and_measured(postgres: Postgres, migrations: Path) -> None:
    recorded = Recorded()
    settings = await postgres.new_database()
    async with open_database(settings, migrations=migrations, telemetry=recorded.telemetry) as database:
        await _connected(database)
        with recorded.tracer.start_as_current_span("call") as call:
            async with database.connection("SELECT t") as connection:
                await connection.fetch("select * from t where word = $1", "secret word")
            async with database.transaction("INSERT t") as connection:
                await connection.execute("insert into t values ('secret word')")
    select, insert = recorded.named("SELECT t"), recorded.named("INSERT t")
    for (span,), operation in ((select, "SELECT"), (insert, "INSERT")):
        assert parent_of(span) == call.get_span_context().span_id and span.kind is SpanKind.CLIENT
        assert dict(span.attributes or {}) == {
            "db.system.name": "postgresql",
            "db.operation.name": operation,
            "db.query.summary": f"{operation} t",
        }
    assert id_of(select[0]) != id_of(insert[0])
    assert recorded.samples(DURATION) == {_labels("SELECT t"): 1, _labels("INSERT t"): 1}


async def test_what_no_call_asked_for_is_measured_and_makes_no_span(postgres: Postgres, migrations: Path) -> None:
    """And what a probe asks is not even measured."""
    recorded = Recorded()
    settings = await postgres.new_database()
    async with open_database(settings, migrations=migrations, telemetry=recorded.telemetry) as database:
        await _connected(database)
        async with database.connection("SELECT t") as connection:
            await connection.fetch("select * from t")
        with recorded.tracer.start_as_current_span("probe"):
            await database.check()
    assert [span.name for span in recorded.spans] == ["probe"]
    assert recorded.samples(DURATION) == {_labels("SELECT t"): 1}


async def test_a_failure_is_told_by_its_kind(postgres: Postgres, migrations: Path) -> None:
    """PostgreSQL's own message holds the value."""
    recorded = Recorded()
    settings = await postgres.new_database()
    async with open_database(settings, migrations=migrations, telemetry=recorded.telemetry) as database:
        with recorded.tracer.start_as_current_span("call"), pytest.raises(Unavailable):
            async with database.connection("SELECT t"):
                pass
        await _connected(database)
        with recorded.tracer.start_as_current_span("call"):
            with pytest.raises(asyncpg.UniqueViolationError, match="secret word"):
                async with database.connection("INSERT t") as connection:
                    await connection.execute("insert into t values ('secret word'), ('secret word')")
            with pytest.raises(DeadlineExceeded):
                async with database.connection("SELECT slow") as connection:
                    await connection.execute("set statement_timeout = 1; select pg_sleep(10)")
    kinds = {"SELECT t": "STORE_UNAVAILABLE", "INSERT t": "UniqueViolationError", "SELECT slow": "STATEMENT_TIMEOUT"}
    for name, failure in kinds.items():
        (span,) = recorded.named(name)
        assert span.attributes is not None and span.attributes["error.type"] == failure
        assert span.status.status_code is StatusCode.ERROR and not span.status.description and not span.events
        assert recorded.samples(DURATION)[_labels(name, failure)] == 1
    assert "secret word" not in "".join(span.to_json() for span in recorded.spans)
