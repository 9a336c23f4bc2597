"""Live events between replicas, over NATS core.

It may lose anything, at any time, without telling: whoever needs every event compares sequences and reads the record.
So nothing here waits, repeats or fails a call, and a replica without a broker still serves, only later.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Set
from contextlib import suppress
from dataclasses import dataclass

from opentelemetry.trace import Span

from services.chat import metrics
from services.chat.nats_client import Client, Msg, NatsError, Subscription, connect
from services.chat.spans import UNTOLD, MessageSpans, Origin, dropped

logger = logging.getLogger(__name__)

# A room's name may hold dots, which part a subject's words; "=" is in no room's name.
_PREFIX = "chat.room."
_OUTBOX = 8192
_RETRY_SECONDS = 1.0
_CONNECT_SECONDS = 2
_PING_SECONDS = 10
# The client tells of its end by a callback, but not if closing fails: so it is asked.
_LOOK_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class _Outgoing:
    """An event that waits to be published."""

    room: str
    data: bytes
    headers: dict[str, str] | None
    span: Span


class Broker:
    """A connection that comes back by itself. `received` gets a room, what another replica published for it, and its
    sender's context if that is traced; `connected` is called whenever a connection begins: events may have been lost,
    and nothing is followed yet."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        received: Callable[[str, bytes, Origin | None], None],
        connected: Callable[[], None],
        spans: MessageSpans = UNTOLD,
    ) -> None:
        self._url = url
        self._token = token
        self._received = received
        self._connected = connected
        self._spans = spans
        self._client: Client | None = None
        self._followed: dict[str, Subscription] = {}
        self._outbox: asyncio.Queue[_Outgoing] = asyncio.Queue(_OUTBOX)

    @property
    def up(self) -> bool:
        """Whether there is a connection."""
        return self._client is not None

    def publish(self, room: str, data: bytes, origin: Origin | None = None) -> None:
        """Gives the other replicas an event, or drops it."""
        outgoing = _Outgoing(room, data, origin.headers() if origin else None, self._spans.publishing(origin))
        if self._client is None or self._outbox.full():
            _drop(outgoing)
        else:
            self._outbox.put_nowait(outgoing)

    async def follow(self, rooms: Set[str]) -> None:
        """Receives the events of exactly these rooms from now on. Does nothing while there is no connection."""
        client, followed = self._client, self._followed
        if client is None or rooms == followed.keys():
            return
        with suppress(NatsError, OSError):
            for room in followed.keys() - rooms:
                await followed.pop(room).unsubscribe()
            for room in rooms - followed.keys():
                followed[room] = await client.subscribe(_subject(room), cb=self._on_message)
            # Answered by the server after it has taken up the subscriptions.
            await client.flush(timeout=_CONNECT_SECONDS)

    async def run(self) -> None:
        """Stays connected until it is cancelled."""
        while True:
            # Our own loop in place of the client's reconnection, which gives up for good after some errors.
            try:
                await self._stay_connected()
            except Exception as error:  # whatever it is: the broker must not end the service
                logger.warning("NATS is away: %s", type(error).__name__)
            await asyncio.sleep(random.uniform(0.5, 1.0) * _RETRY_SECONDS)  # noqa: S311  # spread, not a secret

    async def _stay_connected(self) -> None:
        client = await connect(
            self._url,
            token=self._token or None,
            allow_reconnect=False,
            max_reconnect_attempts=1,  # of connect() itself; 0 would mean for ever
            reconnect_time_wait=_RETRY_SECONDS,
            no_echo=True,  # our own readers have our own events already
            connect_timeout=_CONNECT_SECONDS,
            ping_interval=_PING_SECONDS,
            error_cb=_log,
        )
        try:
            self._followed = {}
            self._client = client
            logger.info("connected to NATS")
            self._connected()
            await self._send(client)
        finally:
            self._client = None
            while not self._outbox.empty():
                _drop(self._outbox.get_nowait())
            with suppress(NatsError, OSError):
                await client.close()

    async def _send(self, client: Client) -> None:
        """Publishes what is in the outbox until the connection is closed."""
        while not client.is_closed:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    outgoing = await self._outbox.get()
                try:
                    await client.publish(_subject(outgoing.room), outgoing.data, headers=outgoing.headers)
                except BaseException:
                    _drop(outgoing)
                    raise
                outgoing.span.end()

    async def _on_message(self, message: Msg) -> None:
        room = message.subject.removeprefix(_PREFIX).replace("=", ".")
        self._received(room, message.data, Origin.read(message.headers))


def _drop(outgoing: _Outgoing) -> None:
    metrics.EVENTS_DROPPED.inc()
    dropped(outgoing.span)


def _subject(room: str) -> str:
    return _PREFIX + room.replace(".", "=")


async def _log(error: Exception) -> None:
    logger.warning("NATS: %s", type(error).__name__)
