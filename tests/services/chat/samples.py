"""Messages for tests."""

from datetime import UTC, datetime

from services.chat.events import Event
from services.chat.messages import Draft, Message


def message(sequence: int, text: str = "hello", room: str = "lobby") -> Message:
    """A message of the record."""
    time = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    return Message(room, sequence, "sender", f"id-{sequence}", "Ada", text, time)


def events(*sequences: int) -> list[Event]:
    """Events with these sequences."""
    return [Event(message(sequence)) for sequence in sequences]


def draft(message_id: str, text: str = "hello", room: str = "lobby", sender_id: str = "sender") -> Draft:
    """What a sender posts."""
    return Draft(room, sender_id, message_id, "Ada", text)
