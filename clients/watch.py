"""Reading a room without being in it: WatchRoom, taken up again after every cut."""

import asyncio
import time
from collections.abc import AsyncIterator

import grpc

from clients import failure, reconnect
from clients.channel import Gateway
from clients.reconnect import Back, Backoff, Lost
from clients.room import SILENCE_SECONDS
from protos.chat.v1.chat_pb2 import Message, WatchRoomRequest, WatchRoomResponse


async def watched(
    gateway: Gateway,
    room: str,
    *,
    resume_after: int,
    backoff: Backoff | None = None,
    silence_seconds: float = SILENCE_SECONDS,
) -> AsyncIterator[Message | Lost | Back]:
    """The room's messages behind a sequence, each once and in order, for as long as one asks for them.

    Between them: that the stream is lost, and that it is back. NOT_FOUND if nobody ever joined the room.
    """
    backoff = backoff or Backoff()
    last, attempt, alive_at = resume_after, 0, time.monotonic()
    while True:
        request = WatchRoomRequest(room=room, resume_after=last)
        call = gateway.chat.WatchRoom(request, metadata=gateway.metadata(room))
        try:
            while True:
                async with asyncio.timeout(silence_seconds):
                    response = await call.read()
                if not isinstance(response, WatchRoomResponse):  # the end, with OK
                    break
                if attempt:
                    yield Back(time.monotonic() - alive_at)
                attempt, alive_at = 0, time.monotonic()
                for message in response.messages:
                    if message.sequence > last:
                        last = message.sequence
                        yield message
            lost, on_purpose = "the server ended the stream", False
        except grpc.aio.AioRpcError as error:
            if not reconnect.may_resume(error):
                raise
            lost, on_purpose = failure.described(error), reconnect.at_once(error)
        except TimeoutError:
            lost, on_purpose = f"no sign of life for {silence_seconds:.0f} s", False
        finally:
            call.cancel()
        attempt += 1
        wait = 0.0 if on_purpose and attempt == 1 else backoff.seconds(attempt)
        yield Lost(lost, attempt, wait)
        await asyncio.sleep(wait)
