"""A message, before and after it has its place in a room."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Draft:
    """What a sender wants to post. (room, sender_id, message_id) makes it one message, however often it is sent."""

    room: str
    sender_id: str
    message_id: str
    sender_name: str
    text: str


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the record. `sequence` is its place in the room: 1, 2, 3 and so on without a gap."""

    room: str
    sequence: int
    sender_id: str
    message_id: str
    sender_name: str
    text: str
    create_time: datetime
