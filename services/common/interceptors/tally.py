"""What went over the wire within one call, counted once: for its span, its metrics and its log line."""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Tally:
    """Messages and their bytes, as the counting side sees them."""

    received: int = 0
    received_bytes: int = 0
    sent: int = 0
    sent_bytes: int = 0

    def receive(self, message: Any) -> None:
        """One message came."""
        self.received += 1
        self.received_bytes += size(message)

    def send(self, message: Any) -> None:
        """One message goes."""
        self.sent += 1
        self.sent_bytes += size(message)


def size(message: Any) -> int:
    """Of a message, or of one that is serialised already, in bytes."""
    return len(message) if isinstance(message, bytes) else int(message.ByteSize())


# grpc.aio runs each call in a task of its own.
_current: ContextVar[Tally] = ContextVar("tally")


def begin() -> Tally:
    """The tally of the call that begins in this task."""
    tally = Tally()
    _current.set(tally)
    return tally


def current() -> Tally:
    """The tally of the current call; an empty one where none began."""
    return _current.get(None) or Tally()
