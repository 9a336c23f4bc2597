"""What a sender was told is stored reaches every reader once and in order, whatever falls away meanwhile."""

import asyncio
import signal
import uuid
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2

from protos.chat.v1 import chat_pb2
from services.common.settings import DatabaseSettings
from tests.kit import Limit, eventually
from tests.services.chat.calls import detail_of, failure, info_of, new_room, watched
from tests.services.chat.nats import Nats
from tests.services.chat.replicas import Directory, Person, Replica, directory, replica
from tests.services.issuer import Issuer
from tests.services.postgres import Postgres


async def send_surely(replicas: list[Replica], person: Person, room: str, text: str) -> chat_pb2.Message:
    """Sends as a client behind the mesh does: on UNAVAILABLE again, with the same id, to the other replica."""
    message_id = str(uuid.uuid4())
    for number in range(200):
        try:
            message: chat_pb2.Message = await replicas[number % len(replicas)].send(person, room, text, message_id)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            await asyncio.sleep(0.05)
        else:
            return message
    raise AssertionError("the replicas never came back")


async def read_surely(replica: Replica, person: Person, room: str, until: int) -> list[tuple[int, str]]:
    """Reads a room to `until`, resuming after the last sequence seen when the stream ends."""
    seen: list[tuple[int, str]] = []
    while not seen or seen[-1][0] < until:
        call = replica.watch(person, room, resume_after=seen[-1][0] if seen else 0)
        try:
            while not seen or seen[-1][0] < until:
                response = await call.read()
                seen += [(message.sequence, message.text) for message in response.messages]
        except grpc.aio.AioRpcError as error:
            assert error.code() is grpc.StatusCode.UNAVAILABLE
        finally:
            call.cancel()
    return seen


async def test_a_broker_that_dies_and_comes_back_costs_no_message(
    sockets: Path, chat_database: DatabaseSettings, users: Directory, ada: Person, bob: Person
) -> None:
    nats = Nats()
    await nats.start()
    try:
        for name in ("broker-0", "broker-1"):
            (sockets / name).mkdir()
        async with (
            replica(sockets / "broker-0", database=chat_database, nats=nats, users=users) as one,
            replica(sockets / "broker-1", database=chat_database, nats=nats, users=users) as two,
        ):
            room, half, total = new_room(), asyncio.Event(), 300
            await one.send(ada, room, "0")
            readers = [
                asyncio.create_task(read_surely(where, person, room, total))
                for where, person in ((one, ada), (two, bob), (two, ada))
            ]

            async def talk(where: Replica, person: Person, numbers: range) -> None:
                for number in numbers:
                    await where.send(person, room, f"{number}")
                    if number > total // 2:
                        half.set()

            talking = [
                asyncio.create_task(talk(where, person, range(1 + begin, total, 4)))
                for begin, (where, person) in enumerate(((one, ada), (two, bob), (two, ada), (one, bob)))
            ]
            await half.wait()
            nats.stop()
            await asyncio.wait(talking)
            for task in talking:
                task.result()
            # Without a broker a replica serves: readers get from the record what no event brings.
            assert one.health.status("readiness") == health_pb2.HealthCheckResponse.SERVING
            await nats.start()
            async with asyncio.timeout(Limit.RECOVERED.value):
                first, *others = [await reader for reader in readers]
            assert [sequence for sequence, _ in first] == list(range(1, total + 1))
            assert sorted(int(text) for _, text in first) == list(range(total))
            assert all(other == first for other in others)
            # And live again: an event of one replica wakes a reader at the other.
            live = two.watch(ada, room)
            await live.read()
            await one.send(ada, room, "again")
            assert [message.text for message in await watched(live, until=total + 1)] == ["again"]
            live.cancel()
    finally:
        nats.stop()


async def test_a_database_that_crashes_loses_nothing_that_was_acknowledged(
    sockets: Path, own_postgres: Postgres, nats: Nats, users: Directory, ada: Person
) -> None:
    """Also: not ready while it is away, alive all the time, UNAVAILABLE with RetryInfo and no SQL in the error."""
    database = await own_postgres.new_database()
    for name in ("crash-0", "crash-1"):
        (sockets / name).mkdir()
    async with (
        replica(sockets / "crash-0", database=database, nats=nats, users=users) as one,
        replica(sockets / "crash-1", database=database, nats=nats, users=users) as two,
    ):
        room, total = new_room(), 120
        await one.send(ada, room, "0")
        reading = asyncio.create_task(read_surely(two, ada, room, total))
        sent: set[tuple[int, str]] = set()

        async def talk(numbers: range) -> None:
            for number in numbers:
                message = await send_surely([one, two], ada, room, f"{number}")
                sent.add((message.sequence, message.text))

        talking = asyncio.gather(*(talk(range(1 + begin, total, 4)) for begin in range(4)))
        await eventually(lambda: len(sent) > 20, what="some messages are sent")
        own_postgres.stop(signal.SIGQUIT)

        def not_ready() -> bool:
            return all(
                each.health.status(name) == health_pb2.HealthCheckResponse.NOT_SERVING
                for each in (one, two)
                for name in ("readiness", "chat.v1.ChatService")
            )

        await eventually(not_ready, what="both replicas say that they are not ready")
        assert one.health.status("liveness") == health_pb2.HealthCheckResponse.SERVING
        error = await failure(one.send(ada, room, "while it is away", timeout=10))
        assert (error.code(), info_of(error).reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
        assert detail_of(error, error_details_pb2.RetryInfo).retry_delay.seconds == 1
        own_postgres.start()
        await talking
        await eventually(lambda: not not_ready(), within=Limit.RECOVERED, what="the replicas are ready again")
        async with asyncio.timeout(Limit.RECOVERED.value):
            seen = await reading
        assert [sequence for sequence, _ in seen] == list(range(1, total + 1))
        assert sorted(int(text) for _, text in seen) == list(range(total))
        assert sent <= set(seen)


async def test_without_the_user_service_posts_are_unavailable_and_reading_goes_on(
    sockets: Path, postgres: Postgres, chat_database: DatabaseSettings, nats: Nats, issuer: Issuer
) -> None:
    (sockets / "gone").mkdir()
    (sockets / "alone").mkdir()
    async with directory(sockets / "gone", await postgres.new_database(), issuer) as users:
        ada = await users.person("Ada")
    async with replica(sockets / "alone", database=chat_database, nats=nats, users=users) as one:
        error = await failure(one.send(ada, "lobby", "hello"))
        assert (error.code(), info_of(error).reason) == (grpc.StatusCode.UNAVAILABLE, "USERS_UNAVAILABLE")
        assert detail_of(error, error_details_pb2.RetryInfo).retry_delay.seconds == 1
        page: Any = one.stub.ListMessages(chat_pb2.ListMessagesRequest(room="lobby"), metadata=ada.metadata)
        await page


async def test_a_sender_whose_time_is_over_gets_deadline_exceeded(
    sockets: Path, own_postgres: Postgres, nats: Nats, users: Directory, ada: Person
) -> None:
    """The room is locked by somebody: the call ends at its deadline, and what was not begun is not stored."""
    database = await own_postgres.new_database()
    name = database.url.removeprefix("postgresql://").partition("@")[0]
    (sockets / "late").mkdir()
    async with replica(sockets / "late", database=database, nats=nats, users=users) as one:
        await one.send(ada, "lobby", "first")
        locker = await own_postgres.connect(name, name)
        async with locker.transaction():
            await locker.execute("SELECT FROM rooms WHERE name = 'lobby' FOR UPDATE")
            sends = [one.send(ada, "lobby", f"late {number}", timeout=0.5) for number in range(3)]
            for send in sends:
                assert (await failure(send)).code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await locker.close()
        await one.send(ada, "lobby", "last")
        request = chat_pb2.ListMessagesRequest(room="lobby")
        page = await one.stub.ListMessages(request, metadata=ada.metadata)
        texts = [message.text for message in page.messages]
        assert (texts[0], texts[-1]) == ("first", "last")
        assert [message.sequence for message in page.messages] == list(range(1, len(texts) + 1))
