"""A message on its way to readers, in the encodings that they and the broker need: each is made once, for everybody."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Self

from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp

from protos.chat.v1 import chat_pb2
from services.chat.messages import Message
from services.chat.spans import Origin

# A response that joins events stays below this, unless one event alone is larger: gRPC clients take 4 MiB.
RESPONSE_BYTES = 1 << 20


@dataclass(frozen=True)  # without slots: the encodings are kept in the instance
class Event:
    """One message and its encodings; `origin` if its sender's call is traced and it is on its way from there."""

    message: Message
    origin: Origin | None = field(default=None, compare=False)

    @property
    def sequence(self) -> int:
        """Its place in the room."""
        return self.message.sequence

    @cached_property
    def element(self) -> bytes:
        """A WatchRoomResponse with this message alone. Such bytes joined are a response with all the messages: that is
        how protobuf encodes a repeated field."""
        return chat_pb2.WatchRoomResponse(messages=[to_proto(self.message)]).SerializeToString()

    @cached_property
    def reply(self) -> bytes:
        """A ChatResponse."""
        return chat_pb2.ChatResponse(
            text=self.message.text,
            room=self.message.room,
            message_id=self.message.message_id,
            sequence=self.message.sequence,
            sender_id=self.message.sender_id,
            sender_name=self.message.sender_name,
            create_time=timestamp(self.message.create_time),
        ).SerializeToString()

    def encode(self) -> bytes:
        """For the broker."""
        return self.element

    @classmethod
    def decode(cls, data: bytes, origin: Origin | None = None) -> Self | None:
        """From the broker; None if it is nothing that we published."""
        try:
            messages = chat_pb2.WatchRoomResponse.FromString(data).messages
        except DecodeError:
            return None
        if len(messages) != 1:
            return None
        event = cls(from_proto(messages[0]), origin)
        event.__dict__["element"] = data  # what was published is what readers get: it is not made again
        return event


def joined(events: Iterable[Event]) -> Iterator[tuple[bytes, int]]:
    """The events as WatchRoomResponses, each of at most RESPONSE_BYTES where it can be, with its last sequence."""
    parts: list[bytes] = []
    size = last = 0
    for event in events:
        if parts and size + len(event.element) > RESPONSE_BYTES:
            yield b"".join(parts), last
            parts, size = [], 0
        parts.append(event.element)
        size += len(event.element)
        last = event.sequence
    if parts:
        yield b"".join(parts), last


class Joining:
    """`joined`, made once for all readers of one room that are at the same place, as those who keep up are."""

    def __init__(self) -> None:
        self._range = (0, 0)
        self._response = b""

    def of(self, events: Sequence[Event]) -> Iterable[tuple[bytes, int]]:
        """Events of the room without a gap: then their sequences say which they are."""
        known = (events[0].sequence, events[-1].sequence)
        if known == self._range:
            return ((self._response, known[1]),)
        responses = list(joined(events))
        if len(responses) == 1:
            self._range, self._response = known, responses[0][0]
        return responses


def to_proto(message: Message) -> chat_pb2.Message:
    """The message as the contract has it."""
    return chat_pb2.Message(
        room=message.room,
        sequence=message.sequence,
        message_id=message.message_id,
        sender_id=message.sender_id,
        sender_name=message.sender_name,
        text=message.text,
        create_time=timestamp(message.create_time),
    )


def from_proto(message: chat_pb2.Message) -> Message:
    """The message as we have it."""
    return Message(
        room=message.room,
        sequence=message.sequence,
        sender_id=message.sender_id,
        message_id=message.message_id,
        sender_name=message.sender_name,
        text=message.text,
        create_time=message.create_time.ToDatetime(tzinfo=UTC),
    )


def timestamp(time: datetime) -> Timestamp:
    """A time of the record (microseconds, with a zone)."""
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp
