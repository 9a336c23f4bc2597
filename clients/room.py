"""A conversation in one room that survives the loss of whatever carries it.

    async with RoomSession(gateway, "lobby", resume_after=0) as session:
        message = session.post("hello")         # a future: its place in the room, once it is committed
        async for event in session:
            match event: case Said() | Lost() | Back(): ...

It speaks the Chat RPC: one stream that posts and delivers, where the delivery of one's own message is its
acknowledgement. After a cut it comes again with the last sequence seen and posts what is not acknowledged once more,
under the same message ids. So every message is shown once, in order, and every post is one message.
"""

import asyncio
import contextlib
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self, TypeAlias

import grpc

from clients import failure, reconnect
from clients.channel import Gateway
from clients.failure import Failure
from clients.reconnect import Back, Backoff, Lost
from protos.chat.v1.chat_pb2 import ChatRequest, ChatResponse

LONGEST_TEXT = 4000  # characters, as the contract says
# The server breaks a silence after 30 s: after so long without a word the path is dead, whatever TCP believes.
SILENCE_SECONDS = 75.0
_MOST_UNREAD = 1000
_ANSWER_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Said:
    """A message of the room. `own`: this session posted it, and this is its acknowledgement."""

    sequence: int
    message_id: str
    sender_id: str
    sender_name: str
    text: str
    create_time: datetime
    own: bool


Event: TypeAlias = Said | Lost | Back


@dataclass(slots=True)
class _Post:
    """What was posted and is not acknowledged yet."""

    request: ChatRequest
    acknowledged: "asyncio.Future[Said]"


class RoomSession:
    """Use it with `async with`, read it with `async for`, from one task. An error that cannot be mended ends it."""

    def __init__(
        self,
        gateway: Gateway,
        room: str,
        *,
        resume_after: int,
        backoff: Backoff | None = None,
        patience_seconds: float = float("inf"),
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        """Begins behind the sequence `resume_after`. After `patience_seconds` without a stream the error ends it."""
        self.room = room
        self.last_sequence = resume_after
        self._gateway = gateway
        self._backoff = backoff or Backoff()
        self._patience_seconds = patience_seconds
        self._silence_seconds = silence_seconds
        # In the order of posting, by message id.
        self._unacknowledged: dict[str, _Post] = {}
        self._outbox: asyncio.Queue[ChatRequest] = asyncio.Queue()
        self._events: asyncio.Queue[Event | None] = asyncio.Queue(_MOST_UNREAD)
        self._runner: asyncio.Task[None] | None = None
        self._attempt = 0  # tries in a row that brought nothing
        self._alive_at = 0.0  # on the clock of time.monotonic()

    async def __aenter__(self) -> Self:
        """Joins the room."""
        self._alive_at = time.monotonic()
        self._runner = asyncio.create_task(self._run(), name=f"room {self.room}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leaves it; what is not acknowledged by now may or may not have been posted."""
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.gather(self._runner, return_exceptions=True)
        for post in self._unacknowledged.values():
            post.acknowledged.cancel()

    def __aiter__(self) -> Self:
        """Itself: the events in order."""
        return self

    async def __anext__(self) -> Event:
        """The next event; the error that ended the session, if one did."""
        assert self._runner is not None, "use it with `async with`"
        ended = self._runner.done() and self._events.empty()
        event = None if ended else await self._events.get()
        if event is None:
            await self._runner
            raise StopAsyncIteration
        return event

    def post(self, text: str) -> "asyncio.Future[Said]":
        """Posts a text; the future is its acknowledgement. Raises Failure for a text that no room takes."""
        if not 0 < len(text) <= LONGEST_TEXT:
            raise Failure(f"a message has 1 to {LONGEST_TEXT} characters, this one has {len(text)}")
        request = ChatRequest(text=text, message_id=str(uuid.uuid4()))
        acknowledged = asyncio.get_running_loop().create_future()
        # Whoever does not wait for it is told by the session's own end.
        acknowledged.add_done_callback(lambda future: future.cancelled() or future.exception())
        self._unacknowledged[request.message_id] = _Post(request, acknowledged)
        self._outbox.put_nowait(request)
        return acknowledged

    async def settled(self) -> None:
        """Returns when all that was posted so far is acknowledged; keep reading meanwhile."""
        await asyncio.gather(*(post.acknowledged for post in self._unacknowledged.values()))

    async def _run(self) -> None:
        try:
            while True:
                await self._wait_after(await self._converse())
        except Exception as error:
            for post in self._unacknowledged.values():
                if not post.acknowledged.done():
                    post.acknowledged.set_exception(error)
            await self._events.put(None)
            raise

    async def _wait_after(self, cut: "_Cut") -> None:
        """Says that the stream is lost and waits for the next try. Raises what cut it when patience is at its end."""
        if time.monotonic() - self._alive_at > self._patience_seconds:
            raise cut.error
        self._attempt += 1
        wait = 0.0 if cut.at_once and self._attempt == 1 else self._backoff.seconds(self._attempt)
        await self._events.put(Lost(cut.why, self._attempt, wait))
        await asyncio.sleep(wait)

    async def _converse(self) -> "_Cut":
        """One stream from its opening to its cut. Raises what cannot be mended by another stream."""
        call = self._gateway.chat.Chat(metadata=self._gateway.metadata(self.room))
        # A new queue: what the old stream had not written is among the unacknowledged.
        self._outbox = asyncio.Queue()
        # With heartbeats the server begins with one, so that the stream shows itself even if the room is silent.
        self._outbox.put_nowait(ChatRequest(room=self.room, resume_after=self.last_sequence, heartbeats=True))
        for post in self._unacknowledged.values():
            self._outbox.put_nowait(post.request)
        answered = asyncio.Event()
        writer = asyncio.create_task(_write(call, self._outbox, answered))
        try:
            while True:
                # Not wait_for: before Python 3.12 it can swallow the cancellation that ends this session.
                async with asyncio.timeout(self._silence_seconds):
                    response = await call.read()
                if not isinstance(response, ChatResponse):  # the end, with OK
                    return _Cut("the server ended the stream", Failure("the server ended the stream"))
                answered.set()
                await self._take(response)
        except grpc.aio.AioRpcError as error:
            if not reconnect.may_resume(error):
                raise
            return _Cut(failure.described(error), error, reconnect.at_once(error))
        except TimeoutError:
            why = f"no sign of life for {self._silence_seconds:.0f} s"
            return _Cut(why, Failure(why, failure.UNREACHABLE))
        except _GapError as gap:
            return _Cut(str(gap), Failure(str(gap)))
        finally:
            writer.cancel()
            call.cancel()
            await asyncio.gather(writer, return_exceptions=True)

    async def _take(self, response: ChatResponse) -> None:
        """Delivers one response: each message once, and none before the one in front of it."""
        if self._attempt:
            await self._events.put(Back(time.monotonic() - self._alive_at))
        self._attempt, self._alive_at = 0, time.monotonic()
        if response.kind == ChatResponse.KIND_HEARTBEAT or response.sequence <= self.last_sequence:
            return
        if response.sequence != self.last_sequence + 1:
            raise _GapError(f"message {response.sequence} came after {self.last_sequence}")
        self.last_sequence = response.sequence
        post = self._unacknowledged.pop(response.message_id, None)
        said = _said(response, own=post is not None)
        await self._events.put(said)
        if post is not None and not post.acknowledged.done():
            post.acknowledged.set_result(said)


@dataclass(frozen=True, slots=True)
class _Cut:
    """How a stream ended that another one can follow. `error` is raised if no other one comes."""

    why: str
    error: Exception
    at_once: bool = False


class _GapError(Exception):
    """A message is missing: the record has it, and a new stream reads it from there."""


async def _write(
    call: "grpc.aio.StreamStreamCall[ChatRequest, ChatResponse]",
    outbox: "asyncio.Queue[ChatRequest]",
    answered: asyncio.Event,
) -> None:
    """Joins, and posts when the server has answered to that.

    Who writes while the server refuses may get INTERNAL instead of the refusal (grpc/grpc#36066).
    """
    # A write fails when the stream is cut; the reader tells why.
    with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
        await call.write(await outbox.get())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ANSWER_SECONDS):
                await answered.wait()
        while True:
            await call.write(await outbox.get())


def _said(response: ChatResponse, *, own: bool) -> Said:
    return Said(
        sequence=response.sequence,
        message_id=response.message_id,
        sender_id=response.sender_id,
        sender_name=response.sender_name,
        text=response.text,
        create_time=response.create_time.ToDatetime(tzinfo=UTC),
        own=own,
    )
