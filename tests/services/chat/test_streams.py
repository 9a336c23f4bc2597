"""services.chat.streams: the limits of one stream."""

import asyncio

import pytest

from services.chat.streams import Responses
from services.common.errors import ResourceExhausted


class Client:
    """A context whose client takes responses while `taking` is set."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.taking = asyncio.Event()
        self.taking.set()

    async def write(self, response: bytes) -> None:
        """As grpc.aio's."""
        await self.taking.wait()
        self.taken.append(response)


async def test_a_response_that_is_not_taken_in_time_ends_the_stream_with_where_to_go_on() -> None:
    client = Client()
    responses = Responses(client, 6, write_seconds=0.05, quiet_seconds=None)
    with pytest.raises(ResourceExhausted) as cut:
        async with responses.watched(lambda: None):
            await responses.write(b"", 7)
            client.taking.clear()
            await responses.write(b"x", 8)
    assert cut.value.reason == "SLOW_READER" and cut.value.values["resume_after"] == "8"
    assert client.taken == [b""]


async def test_time_between_two_responses_is_nobodys_fault() -> None:
    client = Client()
    responses = Responses(client, 0, write_seconds=0.01, quiet_seconds=None)
    async with responses.watched(lambda: None):
        for sequence in range(5):
            await responses.write(b"", sequence)
            await asyncio.sleep(0.03)
    assert responses.sent == 4


async def test_a_stream_without_a_response_is_quiet_again_and_again() -> None:
    woken = asyncio.Queue[bool]()
    responses = Responses(Client(), 0, write_seconds=60, quiet_seconds=0.02)
    async with responses.watched(lambda: woken.put_nowait(responses.quiet)):
        for sequence in range(3):
            assert await woken.get()
            await responses.write(b"", sequence)


async def test_another_timeout_inside_stays_what_it_is() -> None:
    responses = Responses(Client(), 0, write_seconds=60, quiet_seconds=None)
    with pytest.raises(TimeoutError):
        async with responses.watched(lambda: None):
            raise TimeoutError
