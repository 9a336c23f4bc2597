"""Environment -> frozen records. Read once, in `__main__`, never on import; all problems are told together.

def load(environ: Mapping[str, str]) -> UserSettings:
    read = Reader(environ)
    settings = UserSettings(ServerSettings.read(read), DatabaseSettings.read(read))
    read.finish()
    return settings
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TypeVar
from urllib.parse import urlsplit

Settings = TypeVar("Settings")
LOG_LEVELS = ("debug", "info", "warning", "error")


class SettingsError(Exception):
    """What is wrong in the environment, one line for each variable; also if it shows only in use (a taken port)."""


class Reader:
    """Reads variables and collects what is wrong; the values it returns count only once `finish` did not raise."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._problems: list[str] = []

    def text(self, name: str, default: str | None = None) -> str:
        """The variable; required if there is no default. An empty variable counts as missing."""
        value = self._environ.get(name) or default
        if value is None:
            self.problem(name, "is required and not set")
        return value or ""

    def seconds(self, name: str, default: float) -> float:
        """A positive, finite number of seconds."""
        given = self._environ.get(name)
        if not given:
            return default
        try:
            value = float(given)
        except ValueError:
            value = 0.0
        if not 0 < value < float("inf"):
            self.problem(name, f"must be a number of seconds above 0, not {given!r}")
        return value

    def number(self, name: str, default: int) -> int:
        """A whole number from 1."""
        given = self._environ.get(name)
        if not given:
            return default
        if not given.isdecimal() or int(given) < 1:
            self.problem(name, f"must be a whole number from 1, not {given!r}")
            return default
        return int(given)

    def choice(self, name: str, among: tuple[str, ...], default: str) -> str:
        """One of these words, whatever its case."""
        value = (self._environ.get(name) or default).lower()
        if value not in among:
            self.problem(name, f"must be one of {', '.join(among)}, not {value!r}")
        return value

    def address(self, name: str, default: str | None = None) -> str:
        """`host:port` or `unix:/path`, to listen on or to dial."""
        value = self.text(name, default)
        host, colon, port = value.rpartition(":")
        unix = value.startswith("unix:") and len(value) > len("unix:")
        if value and not unix and not (colon and host and port.isdecimal() and int(port) < 65536):
            self.problem(name, f"must be host:port or unix:/path, not {value!r}")
        return value

    def file(self, name: str) -> Path:
        """A file that exists."""
        path = Path(self.text(name))
        if path != Path() and not path.is_file():
            self.problem(name, f"names no file: {str(path)!r}")
        return path

    def url(self, name: str, scheme: str) -> str:
        """A URL of this scheme with a host. Its value is never shown: it may hold a password."""
        value = self.text(name)
        if value:
            try:
                parts = urlsplit(value)
                good = parts.scheme == scheme and bool(parts.hostname or "host=" in parts.query)
            except ValueError:
                good = False
            if not good:
                self.problem(name, f"must be a URL such as {scheme}://user@host:port/name")
        return value

    def problem(self, name: str, what: str) -> None:
        """Notes that a variable is wrong."""
        self._problems.append(f"{name} {what}")

    def finish(self) -> None:
        """Raises SettingsError with all that was wrong, if anything was."""
        if self._problems:
            raise SettingsError("\n".join(self._problems))


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """What every server needs; the variables are the names in capitals."""

    grpc_listen: str
    metrics_listen: str
    jwt_jwks_file: Path
    jwt_issuer: str
    jwt_audience: str
    pod_name: str
    pod_version: str
    log_level: str = "info"
    otel_traces_exporter: str = "none"
    drain_seconds: float = 10.0
    default_deadline_seconds: float = 10.0
    max_deadline_seconds: float = 60.0
    max_stream_age_seconds: float = 1800.0

    @classmethod
    def read(cls, read: Reader) -> Self:
        """From GRPC_LISTEN, METRICS_LISTEN, JWT_JWKS_FILE and so on."""
        return cls(
            grpc_listen=read.address("GRPC_LISTEN", "0.0.0.0:50051"),
            metrics_listen=read.address("METRICS_LISTEN", "0.0.0.0:9464"),
            jwt_jwks_file=read.file("JWT_JWKS_FILE"),
            jwt_issuer=read.text("JWT_ISSUER"),
            jwt_audience=read.text("JWT_AUDIENCE"),
            pod_name=read.text("POD_NAME"),
            pod_version=read.text("POD_VERSION"),
            log_level=read.choice("LOG_LEVEL", LOG_LEVELS, "info"),
            otel_traces_exporter=read.choice("OTEL_TRACES_EXPORTER", ("none", "otlp"), "none"),
            drain_seconds=read.seconds("DRAIN_SECONDS", 10.0),
            default_deadline_seconds=read.seconds("DEFAULT_DEADLINE_SECONDS", 10.0),
            max_deadline_seconds=read.seconds("MAX_DEADLINE_SECONDS", 60.0),
            max_stream_age_seconds=read.seconds("MAX_STREAM_AGE_SECONDS", 1800.0),
        )


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """Where the database is; the password is kept out of repr."""

    url: str  # postgresql://role@host:port/database
    password: str = field(repr=False)

    @classmethod
    def read(cls, read: Reader) -> Self:
        """From DATABASE_URL and DATABASE_PASSWORD."""
        return cls(
            url=read.url("DATABASE_URL", "postgresql"),
            password=read.text("DATABASE_PASSWORD"),
        )


def or_exit(load: Callable[[], Settings]) -> Settings:
    """The settings; if they are wrong, says all that is wrong on stderr and exits with 2."""
    try:
        return load()
    except SettingsError as error:
        sys.stderr.write(f"the environment is not usable:\n{error}\n")
        raise SystemExit(2) from None
