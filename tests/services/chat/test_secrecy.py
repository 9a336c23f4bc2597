"""What people say to each other, and what proves who they are, is in nothing that the service tells of itself."""

import asyncio
import contextlib
import signal
import urllib.request
from pathlib import Path
from typing import Any

import grpc.aio

from protos.chat.v1 import chat_pb2
from services.common.settings import DatabaseSettings
from tests.kit import Limit, eventually
from tests.services.chat.calls import new_room, watched
from tests.services.chat.nats import Nats
from tests.services.chat.replicas import Directory
from tests.services.chat.test_process import environment, started
from tests.services.issuer import Issuer
from tests.services.otlp import Collector, listening
from tests.services.postgres import Postgres

TEXT = "said-in-confidence"
SAMPLED = ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")


async def _use_everything(stub: Any, metadata: Any, room: str) -> None:
    """Every method, well and badly, with the marker in whatever a caller may choose."""
    with contextlib.suppress(grpc.aio.AioRpcError):  # who may not speak
        wrong = (*metadata[1:], ("authorization", f"Bearer {TEXT}"))
        await stub.SendMessage(chat_pb2.SendMessageRequest(room=room, text=TEXT), metadata=wrong)
    sent = await stub.SendMessage(
        chat_pb2.SendMessageRequest(room=room, text=TEXT, message_id=f"id-{TEXT}"), metadata=metadata
    )
    same = f"id-{TEXT}"
    for text, message_id in ((TEXT, same), (f"{TEXT} again", same), (f"{TEXT}\0", ""), (TEXT * 1000, "")):
        with contextlib.suppress(grpc.aio.AioRpcError):  # a repeat, an id twice, an unstorable and a long text
            request = chat_pb2.SendMessageRequest(room=room, text=text, message_id=message_id)
            await stub.SendMessage(request, metadata=metadata)
    watch = stub.WatchRoom(chat_pb2.WatchRoomRequest(room=room, resume_after=0), metadata=metadata)
    await watched(watch, until=sent.sequence)
    chat = stub.Chat(metadata=metadata)
    await chat.write(chat_pb2.ChatRequest(room=room, text=TEXT))
    await chat.read()
    chat.cancel(), watch.cancel()
    await stub.ListMessages(chat_pb2.ListMessagesRequest(room=room), metadata=metadata)
    piece = chat_pb2.UploadFilesRequest(name=f"{TEXT}.txt", data=TEXT.encode(), content_type=f"text/{TEXT}")
    upload = stub.UploadFiles(metadata=metadata)
    await upload.write(piece)
    await upload.done_writing()
    stored = await upload
    async for _ in stub.DownloadFile(chat_pb2.DownloadFileRequest(id=stored.id), metadata=metadata):
        pass
    other: Any = stub.UploadFiles(metadata=metadata)
    with contextlib.suppress(grpc.aio.AioRpcError):  # what was declared is not what came
        await other.write(chat_pb2.UploadFilesRequest(name=TEXT, data=TEXT.encode(), size=1))
        await other


async def test_no_text_no_token_and_no_password_is_in_logs_spans_or_metrics(
    sockets: Path, issuer: Issuer, users: Directory, nats: Nats, postgres: Postgres, chat_database: DatabaseSettings
) -> None:
    """A real process at its most talkative, all of whose calls are traced; all that leaves it is looked through.

    So is the log of its PostgreSQL, which would tell of a repeat with the statement and the key.
    """
    collector, room = Collector(), new_room()
    person = await users.person(f"Ada {TEXT}")
    metadata = (*person.metadata, SAMPLED, ("x-secret", TEXT))
    with listening(collector) as port:
        variables = environment(issuer, users, nats, chat_database) | {
            "LOG_LEVEL": "debug",
            "PYTHONASYNCIODEBUG": "1",
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }
        async with started(sockets / "secrecy", variables) as one:
            await _use_everything(one.stub, metadata, room)
            names = ("Chat", "WatchRoom", "UploadFiles", "DownloadFile", "SendMessage", "ListMessages")

            def all_there() -> bool:
                return all(collector.named(f"chat.v1.ChatService/{name}") for name in names)

            await eventually(all_there, what="a span of each method has come")
            page = await asyncio.to_thread(_read, one.metrics_url)
            one.process.send_signal(signal.SIGTERM)
            output, _ = await asyncio.to_thread(one.process.communicate, timeout=Limit.STARTED.value)
    told = {
        "the log": output,
        "the metrics": page,
        "the spans": "".join(map(str, collector.spans)),
        "PostgreSQL's log": postgres.log.read_text(),
    }
    token = metadata[0][1].split()[1]
    secrets = (TEXT, token, token.rsplit(".", 1)[1], nats.token, chat_database.password)
    for where, what in told.items():
        for secret in filter(None, secrets):
            assert secret not in what, f"{secret!r} is in {where}"
    for where in ("the metrics", "the spans", "PostgreSQL's log"):
        assert room not in told[where] and person.id not in told[where], where
    assert '"level": "debug"' in output and "INSERT messages" in page and "INSERT messages" in told["the spans"]
    assert "duplicate key" in told["PostgreSQL's log"]


def _read(url: str) -> str:
    with urllib.request.urlopen(url) as response:
        page: bytes = response.read()
    return page.decode()
