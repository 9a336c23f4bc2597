"""GetUser in stages, in one process: `python -m bench.profile_server FOLDER URL` serves on FOLDER/grpc.

`/STAGE/GetUser` is answered by a server with the first so many of our layers. One process, so that nothing differs but
the stage: two processes of the same code may differ by 20 µs a call. FOLDER/reply holds the user who is answered where
no database is asked; URL is that of the database.
"""

import asyncio
import sys
import uuid
from collections.abc import Mapping
from datetime import UTC
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from bench.worker import answers
from clients.tokens import AUDIENCE, ISSUER
from protos.user.v1.user_pb2 import GetUserRequest
from protos.user.v1.user_pb2 import User as Message
from services.common import logs, telemetry
from services.common.drain import Drain
from services.common.interceptors.chain import Layer, ServerChain
from services.common.interceptors.order import server_layers
from services.common.postgres import open_database
from services.common.serve import OPTIONS
from services.common.settings import DatabaseSettings, ServerSettings
from services.user.service import UserService
from services.user.store import MIGRATIONS, UserStore
from services.user.users import User

BARE, SERVICER, STORE = "bare", "servicer", "store"


class OneUser:
    """A store that knows one user, and answers at once."""

    def __init__(self, message: Message) -> None:
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


class Stages(grpc.aio.ServerInterceptor):
    """For each stage its own chain of layers; none for the first two."""

    def __init__(self, layers: Mapping[str, Layer]) -> None:
        each, names = list(layers.values()), list(layers)
        self._chains = {f"/{name}/GetUser": ServerChain(each[: place + 1]) for place, name in enumerate(names)}
        self._chains[f"/{STORE}/GetUser"] = ServerChain(each)

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """The stage's handler."""
        chain = self._chains.get(handler_call_details.method)
        if chain is None:
            return await continuation(handler_call_details)
        return await chain.intercept_service(continuation, handler_call_details)


def handler(get_user: Any) -> Any:
    """As the stubs make it."""
    return grpc.unary_unary_rpc_method_handler(get_user, GetUserRequest.FromString, Message.SerializeToString)


async def main(folder: Path, url: str) -> None:
    """Serves until it is ended."""
    settings = ServerSettings(
        grpc_listen=f"unix:{folder}/grpc",
        metrics_listen=f"unix:{folder}/metrics",
        jwt_jwks_file=folder / "jwks.json",
        jwt_issuer=ISSUER,
        jwt_audience=AUDIENCE,
        pod_name="user-v1-0",
        pod_version="v1",
    )
    reply = Message.FromString((folder / "reply").read_bytes())
    store: Any = OneUser(reply)
    layers = server_layers(settings, telemetry.set_up("user", settings.pod_name))

    async def constant(request: GetUserRequest, context: Any) -> Message:
        return reply

    async with open_database(DatabaseSettings(url, "unused"), migrations=MIGRATIONS) as database:
        await answers(database)
        ways = {BARE: constant, STORE: UserService(UserStore(database), Drain()).GetUser}
        ways |= dict.fromkeys((SERVICER, *layers), UserService(store, Drain()).GetUser)
        server = grpc.aio.server(interceptors=[Stages(layers)], options=OPTIONS)
        for stage, get_user in ways.items():
            handlers = {"GetUser": handler(get_user)}
            server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(stage, handlers)])
        server.add_insecure_port(settings.grpc_listen)
        await server.start()
        await server.wait_for_termination()


if __name__ == "__main__":
    with logs.to_stdout(level="info", pod="user-v1-0", version="v1"):
        asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
