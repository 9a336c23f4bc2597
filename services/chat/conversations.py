"""The streams that deliver a room: Chat and WatchRoom."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from protos.chat.v1 import chat_pb2
from services.chat.drafts import draft
from services.chat.events import Event
from services.chat.log import Log
from services.chat.readers import Reader
from services.chat.rooms import Rooms
from services.chat.spans import MessageSpans
from services.chat.streams import WRITE_SECONDS, Responses
from services.chat.users_client import Users
from services.chat.writer import Writer
from services.common.drain import Drain
from services.common.errors import DeadlineExceeded, InvalidArgument, NotFound, Resource, Violation

# Where a first message of only a text goes, as in the original contract.
LOBBY = "lobby"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long streams wait, in seconds: between signs of life, for a first request, for a response to be taken."""

    heartbeat: float = 30.0
    first_request: float = 30.0
    write: float = WRITE_SECONDS


class Conversations:
    """Chat and WatchRoom. Responses are bytes: an event is serialised once for all its readers."""

    def __init__(
        self,
        *,
        log: Log,
        writer: Writer,
        rooms: Rooms,
        users: Users,
        drain: Drain,
        patience: Patience,
        spans: MessageSpans,
    ) -> None:
        self._log = log
        self._writer = writer
        self._rooms = rooms
        self._users = users
        self._drain = drain
        self._patience = patience
        self._spans = spans

    async def watch(self, request: chat_pb2.WatchRoomRequest, context: Any) -> None:
        """WatchRoom. Its first response is a heartbeat, which says that nothing is missed from now on."""
        head = await self._log.head(request.room)
        if head is None:
            raise no_such_room(request.room)
        after = request.resume_after if request.HasField("resume_after") else None
        with self._drain.life() as life, self._rooms.reader(request.room, head=head, after=after) as reader:
            responses = self._responses(context, reader.position, heartbeats=True)
            async with life.interrupting(), responses.watched(reader.wake):
                await responses.write(b"", reader.position)
                delivering = self._spans.deliveries()
                while True:
                    events = await reader.take()
                    if events:
                        with delivering(events):
                            for response, sequence in self._rooms.joined(request.room, events):
                                await responses.write(response, sequence)
                    elif responses.quiet:
                        await responses.write(b"", reader.position)
            raise life.ended(resume_after=responses.sent)

    async def chat(self, requests: AsyncIterator[chat_pb2.ChatRequest], context: Any) -> None:
        """Chat."""
        with self._drain.life() as life:
            responses: Responses | None = None
            async with life.interrupting():
                first = await self._first(requests)
                if first is None:
                    return
                room = first.room or LOBBY
                await self._users.sender()  # who may not post may not join
                head = await self._log.open_room(room)
                after = first.resume_after if first.HasField("resume_after") else None
                with self._rooms.reader(room, head=head, after=after) as reader:
                    responses = self._responses(context, reader.position, heartbeats=first.heartbeats)
                    posts = _Posts(reader)
                    posting = asyncio.create_task(self._post(room, first, requests, posts))
                    posting.add_done_callback(lambda _: reader.wake())
                    try:
                        async with responses.watched(reader.wake):
                            await self._deliver(reader, responses, posts, posting, heartbeats=first.heartbeats)
                    finally:
                        posting.cancel()
                        await asyncio.wait([posting])
                return
            raise life.ended(resume_after=responses.sent if responses else "")

    def _responses(self, context: Any, sent: int, *, heartbeats: bool) -> Responses:
        quiet_seconds = self._patience.heartbeat if heartbeats else None
        return Responses(context, sent, write_seconds=self._patience.write, quiet_seconds=quiet_seconds)

    async def _first(self, requests: AsyncIterator[chat_pb2.ChatRequest]) -> chat_pb2.ChatRequest | None:
        try:
            async with asyncio.timeout(self._patience.first_request):
                return await anext(requests, None)
        except TimeoutError:
            raise DeadlineExceeded("NO_REQUEST", "the stream sent no first request in time") from None

    async def _post(
        self,
        room: str,
        first: chat_pb2.ChatRequest,
        requests: AsyncIterator[chat_pb2.ChatRequest],
        posts: "_Posts",
    ) -> None:
        """Posts what the client sends, one after the other, so that it is stored in the order it was sent in."""
        request: chat_pb2.ChatRequest | None = first
        while request is not None:
            if request.room not in ("", first.room, room):
                what = "must be empty or the room of the first request"
                raise InvalidArgument(
                    "ROOM_CHANGED", "room " + what, violations=[Violation("room", what, "room_changed")]
                )
            if request.text:
                sender = await self._users.sender()
                posts.stored(Event(await self._writer.post(draft(room, sender, request))))
            request = await anext(requests, None)

    async def _deliver(
        self,
        reader: Reader,
        responses: Responses,
        posts: "_Posts",
        posting: "asyncio.Task[None]",
        *,
        heartbeats: bool,
    ) -> None:
        """Delivers until the client's end of sending and its last post, or until something is wrong."""
        delivering = self._spans.deliveries()
        if heartbeats:
            await responses.write(_heartbeat(reader.position), reader.position)
        while True:
            posted_all = posting.done()
            for event in posts.repeats():
                await responses.write(event.reply, responses.sent)
            if posted_all:
                posting.result()  # raises what went wrong
                if responses.sent >= posts.last:
                    return
            events = await reader.take()
            if not events and responses.quiet:
                await responses.write(_heartbeat(reader.position), reader.position)
            with delivering(events):
                for event in events:
                    await responses.write(event.reply, event.sequence)


class _Posts:
    """What the client of one stream has posted."""

    def __init__(self, reader: Reader) -> None:
        self.last = 0  # the highest sequence of a post
        self._reader = reader
        self._begin = reader.position
        self._repeats: list[Event] = []

    def stored(self, event: Event) -> None:
        """A post is in the record. A repeat of one that lies before the stream's beginning will not come by: it is
        delivered as it is, because the delivery is the acknowledgement."""
        self.last = max(self.last, event.sequence)
        if event.sequence <= self._begin:
            self._repeats.append(event)
            self._reader.wake()

    def repeats(self) -> list[Event]:
        """Repeats that are not delivered yet."""
        repeats, self._repeats = self._repeats, []
        return repeats


def no_such_room(room: str) -> NotFound:
    """The error for a room that nobody ever joined."""
    return NotFound("ROOM_NOT_FOUND", "nobody ever joined {room}", resource=Resource("chat.v1.Room", room), room=room)


def _heartbeat(sequence: int) -> bytes:
    return chat_pb2.ChatResponse(kind=chat_pb2.ChatResponse.KIND_HEARTBEAT, sequence=sequence).SerializeToString()
