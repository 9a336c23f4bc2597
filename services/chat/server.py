"""The wiring of the chat service: what is made of what, in the order in which it starts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from protos.user.v1 import user_pb2
from services.chat import metrics
from services.chat.conversations import Conversations, Patience
from services.chat.files import UPLOADS, Files
from services.chat.history import History
from services.chat.log import Log
from services.chat.rooms import Rooms
from services.chat.service import NAME, ChatService, register
from services.chat.settings import ChatSettings
from services.chat.spans import MessageSpans
from services.chat.transfers import Pace, Transfers
from services.chat.users_client import Users
from services.chat.writer import Writer
from services.common.channels import open_channel
from services.common.drain import Drain
from services.common.postgres import open_database
from services.common.serve import Service, serve
from services.common.telemetry import Telemetry, set_up

MIGRATIONS = Path(__file__).parent / "migrations"

# The gateway sends reflection here, and who asks there wants to see all that the gateway serves. The descriptors of
# user.v1 are loaded in any case: chat is a client of it.
DESCRIBED = (user_pb2.DESCRIPTOR.services_by_name["UserService"].full_name,)


async def run(settings: ChatSettings) -> None:
    """Serves until SIGTERM or SIGINT."""
    server = settings.server
    telemetry = set_up("chat", server.pod_name, version=server.pod_version, exporter=server.otel_traces_exporter)
    metrics.register(telemetry.registry)
    drain = Drain(max_age_seconds=server.max_stream_age_seconds)
    async with wired(settings, drain, telemetry) as service:
        await serve(server, service, drain, telemetry)


@asynccontextmanager
async def wired(
    settings: ChatSettings,
    drain: Drain,
    telemetry: Telemetry,
    *,
    patience: Patience | None = None,
    pace: Pace | None = None,
) -> AsyncIterator[Service]:
    """The service and all that works behind it, while the context lasts.

    It is ready when PostgreSQL answers. NATS does not count: without it readers at other replicas get messages from the
    record, a moment later, and taking every replica out of service would be the only real harm.
    """
    async with (
        open_database(settings.database, migrations=MIGRATIONS, telemetry=telemetry) as database,
        # Uploads hold their connections for long: they must not take those that messages need.
        open_database(settings.database, migrations=MIGRATIONS, size=UPLOADS + 4, telemetry=telemetry) as file_database,
        open_channel(
            settings.user_target, telemetry, default_deadline_seconds=settings.server.default_deadline_seconds
        ) as channel,
    ):
        log = Log(database)
        spans = MessageSpans(telemetry.tracer_provider)
        rooms = Rooms(
            log,
            reader_queue=settings.reader_queue,
            nats_url=settings.nats_url,
            nats_token=settings.nats_token,
            spans=spans,
        )
        writer = Writer(log.append, committed=rooms.publish, gathering=telemetry.gathering)
        users = Users(channel)
        conversations = Conversations(
            log=log,
            writer=writer,
            rooms=rooms,
            users=users,
            drain=drain,
            patience=patience or Patience(heartbeat=settings.heartbeat_seconds),
            spans=spans,
        )
        chat = ChatService(
            conversations,
            History(log=log, writer=writer, users=users),
            Transfers(files=Files(file_database), drain=drain, pace=pace or Pace()),
        )
        working = [asyncio.create_task(work) for work in (writer.run(), rooms.run())]
        try:
            yield Service(
                names=(NAME,),
                register=lambda server: register(chat, server),
                stores={"database": database.check, "files": file_database.check},
                described=DESCRIBED,
            )
        finally:
            for task in working:
                task.cancel()
            await asyncio.wait(working)
