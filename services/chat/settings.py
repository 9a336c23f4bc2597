"""The environment of the chat service."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from services.common.settings import DatabaseSettings, Reader, ServerSettings


@dataclass(frozen=True, slots=True)
class ChatSettings:
    """All of it; the variables are the names in capitals. The token is kept out of repr."""

    server: ServerSettings
    database: DatabaseSettings
    user_target: str  # host:port or unix:/path
    nats_url: str  # nats://host:port
    nats_token: str = field(repr=False)
    heartbeat_seconds: float = 30.0
    reader_queue: int = 1024  # events

    @classmethod
    def read(cls, read: Reader) -> Self:
        """From USER_TARGET, NATS_URL and so on; NATS_TOKEN may be missing for a server that asks for none."""
        return cls(
            server=ServerSettings.read(read),
            database=DatabaseSettings.read(read),
            user_target=read.address("USER_TARGET"),
            nats_url=read.url("NATS_URL", "nats"),
            nats_token=read.text("NATS_TOKEN", ""),
            heartbeat_seconds=read.seconds("HEARTBEAT_SECONDS", 30.0),
            reader_queue=read.number("READER_QUEUE", 1024),
        )


def load(environ: Mapping[str, str]) -> ChatSettings:
    """Raises SettingsError with all that is wrong."""
    read = Reader(environ)
    settings = ChatSettings.read(read)
    read.finish()
    return settings
