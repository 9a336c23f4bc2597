"""The environment: read strictly, all problems at once."""

from pathlib import Path

import pytest

from services.common.settings import DatabaseSettings, Reader, ServerSettings, SettingsError, or_exit

GOOD = {
    "JWT_ISSUER": "i",
    "JWT_AUDIENCE": "a",
    "POD_NAME": "user-0",
    "POD_VERSION": "v1",
    "DATABASE_URL": "postgresql://users@db:5432/users",
    "DATABASE_PASSWORD": "secret",
}


def _load(environ: dict[str, str]) -> tuple[ServerSettings, DatabaseSettings]:
    read = Reader(environ)
    settings = ServerSettings.read(read), DatabaseSettings.read(read)
    read.finish()
    return settings


def test_defaults_are_those_of_the_contract(tmp_path: Path) -> None:
    """Only what has no sensible default is required."""
    jwks = tmp_path / "jwks.json"
    jwks.touch()
    server, database = _load({**GOOD, "JWT_JWKS_FILE": str(jwks)})
    assert (server.grpc_listen, server.metrics_listen) == ("0.0.0.0:50051", "0.0.0.0:9464")
    assert (server.drain_seconds, server.default_deadline_seconds, server.max_stream_age_seconds) == (10, 10, 1800)
    assert "secret" not in repr(database)


def test_all_problems_are_told_together(capsys: pytest.CaptureFixture[str]) -> None:
    """Each with its variable, what was wrong and the value, if that is no secret; exit 2."""
    bad = {
        "GRPC_LISTEN": "nowhere",
        "METRICS_LISTEN": "host:99999",
        "JWT_JWKS_FILE": "/no/such/file",
        "POD_NAME": "",
        "DRAIN_SECONDS": "-1",
        "DEFAULT_DEADLINE_SECONDS": "nan",
        "MAX_DEADLINE_SECONDS": "soon",
        "LOG_LEVEL": "loud",
        "DATABASE_URL": "mysql://users:hunter2@db/users",
    }
    with pytest.raises(SystemExit) as ended:
        or_exit(lambda: _load(bad))
    assert ended.value.code == 2
    told = capsys.readouterr().err
    for name in (*bad, "JWT_ISSUER", "JWT_AUDIENCE", "POD_VERSION", "DATABASE_PASSWORD"):
        assert f"{name} " in told
    assert "hunter2" not in told


@pytest.mark.parametrize("address", ["unix:/run/x", "127.0.0.1:1", "[::1]:50051", "user.mesh.svc.cluster.local:50051"])
def test_addresses_that_are_fine(address: str) -> None:
    """host:port and unix:/path."""
    read = Reader({"A": address})
    assert read.address("A") == address
    read.finish()


@pytest.mark.parametrize("address", ["unix:", ":1", "host", "host:", "host:x", "host:70000"])
def test_addresses_that_are_not(address: str) -> None:
    """Told by name."""
    read = Reader({"A": address})
    read.address("A")
    with pytest.raises(SettingsError, match="A must be host:port or unix:/path"):
        read.finish()


def test_numbers_are_whole() -> None:
    """And from 1."""
    read = Reader({"N": "0", "M": "7"})
    assert read.number("M", 1) == 7
    read.number("N", 1)
    with pytest.raises(SettingsError, match="N must be a whole number"):
        read.finish()
