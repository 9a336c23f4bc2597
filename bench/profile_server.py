"""A user service with its interceptors down to one of them: `python -m bench.profile_server LAST FOLDER [URL]`.

It serves on FOLDER/grpc. LAST is a layer's name (services.common.interceptors.order), or `servicer` for no interceptor,
or `chain` for one without layers. URL is the database's; without it each GetUser gets the user of FOLDER/reply.
"""

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC
from pathlib import Path
from typing import Any

import grpc.aio

from protos.user.v1 import user_pb2, user_pb2_grpc
from services.common import logs, telemetry
from services.common.drain import Drain
from services.common.interceptors.chain import ServerChain
from services.common.interceptors.order import server_layers
from services.common.postgres import open_database
from services.common.serve import OPTIONS
from services.common.settings import DatabaseSettings, ServerSettings
from services.user.service import UserService
from services.user.store import MIGRATIONS, UserStore
from services.user.users import User


class OneUser:
    """A store that knows one user, and answers at once."""

    def __init__(self, message: user_pb2.User) -> None:
        self._user = User(
            id=uuid.UUID(message.id),
            name=message.name,
            email=message.email,
            created_at=message.create_time.ToDatetime(UTC),
            updated_at=message.update_time.ToDatetime(UTC),
            version=int(message.etag),
        )

    async def get(self, _: uuid.UUID) -> User:
        """Always the same."""
        return self._user


@asynccontextmanager
async def store(folder: Path, url: str) -> AsyncIterator[Any]:
    """The service's own over the database, or one that costs nothing."""
    if not url:
        yield OneUser(user_pb2.User.FromString((folder / "reply").read_bytes()))
        return
    async with open_database(DatabaseSettings(url, "unused"), migrations=MIGRATIONS) as database:
        yield UserStore(database)


def interceptors(last: str, settings: ServerSettings) -> list[grpc.aio.ServerInterceptor]:
    """The service's own, but only down to that one."""
    layers = server_layers(settings, telemetry.set_up("user", "user-v1-0"))
    names = list(layers)
    if last == "servicer":
        return []
    chosen = names[: names.index(last) + 1] if last != "chain" else []
    return [ServerChain([layers[name] for name in chosen])]


async def main(last: str, folder: Path, url: str) -> None:
    """Serves until it is ended."""
    settings = ServerSettings(
        grpc_listen=f"unix:{folder}/grpc",
        metrics_listen=f"unix:{folder}/metrics",
        jwt_jwks_file=folder / "jwks.json",
        jwt_issuer="https://localmesh.dev/issuer",
        jwt_audience="mesh",
        pod_name="user-v1-0",
        pod_version="v1",
    )
    server = grpc.aio.server(interceptors=interceptors(last, settings), options=OPTIONS)
    async with store(folder, url) as users:
        user_pb2_grpc.add_UserServiceServicer_to_server(UserService(users, Drain()), server)
        server.add_insecure_port(settings.grpc_listen)
        await server.start()
        await server.wait_for_termination()


if __name__ == "__main__":
    with logs.to_stdout(level="info", pod="user-v1-0", version="v1"):
        asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3] if sys.argv[3:] else ""))
