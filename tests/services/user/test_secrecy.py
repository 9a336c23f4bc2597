"""Who the users are is theirs: no name, address, token or password is in what the service tells of itself."""

import asyncio
import contextlib
import signal
import tempfile
import uuid
from pathlib import Path

import grpc.aio

from protos.user.v1 import user_pb2
from services.common.settings import DatabaseSettings
from services.user.service import NAME
from tests.kit import Limit, eventually
from tests.services.issuer import Issuer
from tests.services.otlp import Collector, listening
from tests.services.postgres import Postgres
from tests.services.user.test_process import SERVING, Process, _started

MARK = "markofauser"
SAMPLED = ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")


async def _use_everything(one: Process) -> None:
    metadata = (*one.bearer, SAMPLED)
    create = user_pb2.CreateUserRequest(name=f"{MARK} name", email=f"{MARK}@example.org")
    user = await one.stub.CreateUser(create, metadata=metadata)
    taken = user_pb2.CreateUserRequest(name=MARK, email=f"{MARK}@example.org", request_id=str(uuid.uuid4()))
    invalid = user_pb2.CreateUserRequest(name=MARK, email=MARK)
    stale = user_pb2.DeleteUserRequest(id=user.id, etag="999")
    for method, request in (
        (one.stub.CreateUser, taken),
        (one.stub.CreateUser, invalid),
        (one.stub.DeleteUser, stale),
        (one.stub.GetUser, user_pb2.GetUserRequest(id=user.id)),
        (one.stub.BatchGetUsers, user_pb2.BatchGetUsersRequest(ids=[user.id])),
    ):
        with contextlib.suppress(grpc.aio.AioRpcError):
            await method(request, metadata=metadata)
    change = user_pb2.UpdateUserRequest(user=user_pb2.User(id=user.id, name=f"{MARK} changed"))
    change.update_mask.paths.append("name")
    await one.stub.UpdateUser(change, metadata=metadata)
    other = await one.stub.CreateUser(user_pb2.CreateUserRequest(name=MARK, email=f"o{MARK}@b.org"), metadata=metadata)
    change = user_pb2.UpdateUserRequest(user=user_pb2.User(id=other.id, email=create.email))
    change.update_mask.paths.append("email")
    with contextlib.suppress(grpc.aio.AioRpcError):  # taken
        await one.stub.UpdateUser(change, metadata=metadata)
    async for _ in one.stub.ListUsers(user_pb2.ListUsersRequest(), metadata=metadata):
        pass
    await one.stub.DeleteUser(user_pb2.DeleteUserRequest(id=user.id), metadata=metadata)


async def test_no_name_no_address_no_token_and_no_password_is_in_logs_spans_or_metrics(
    issuer: Issuer, postgres: Postgres
) -> None:
    """A real process at its most talkative; all that leaves it is looked through, and the log of its PostgreSQL."""
    fresh, collector = await postgres.new_database(), Collector()
    database = DatabaseSettings(fresh.url, fresh.password or "a-password-of-no-use")
    with listening(collector) as port, tempfile.TemporaryDirectory(prefix="p", dir="/tmp") as folder:
        variables = {
            "LOG_LEVEL": "debug",
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }
        one = await _started(issuer, database, Path(folder), **variables)
        try:
            await one.becomes(NAME, SERVING)
            await _use_everything(one)
            await eventually(lambda: collector.named(f"{NAME}/ListUsers"), what="the spans come")
            reader, writer = await asyncio.open_unix_connection(f"{folder}/metrics")
            writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
            page = (await reader.read()).decode()
            writer.close()
            one.process.send_signal(signal.SIGTERM)
            output, _ = await asyncio.wait_for(one.process.communicate(), Limit.STARTED.value)
        finally:
            await one.channel.close()
            if one.process.returncode is None:
                one.process.kill()
    told = {
        "the log": output.decode(),
        "the metrics": page,
        "the spans": "".join(map(str, collector.spans)),
        "PostgreSQL's log": postgres.log.read_text(),
    }
    token = one.bearer[0][1].split()[1]
    for where, what in told.items():
        for secret in (MARK, token, token.rsplit(".", 1)[1], database.password):
            assert secret not in what, f"{secret!r} is in {where}"
    statements = ("INSERT users", "SELECT users", "UPDATE users", "DELETE users")
    assert all(one in told["the metrics"] and one in told["the spans"] for one in statements)
    assert "users_email_key" in told["PostgreSQL's log"]
