"""The wiring of the user service: settings -> stores -> servicer, in the order in which it starts."""

from collections.abc import Mapping
from dataclasses import dataclass

from protos.user.v1 import user_pb2_grpc
from services.common import telemetry
from services.common.drain import Drain
from services.common.postgres import open_database
from services.common.serve import Service, serve
from services.common.settings import DatabaseSettings, Reader, ServerSettings
from services.user.service import NAME, UserService
from services.user.store import MIGRATIONS, UserStore


@dataclass(frozen=True, slots=True)
class Settings:
    """All that this service reads from its environment."""

    server: ServerSettings
    database: DatabaseSettings


def load(environ: Mapping[str, str]) -> Settings:
    """Raises SettingsError that names every variable that is missing or wrong."""
    read = Reader(environ)
    settings = Settings(server=ServerSettings.read(read), database=DatabaseSettings.read(read))
    read.finish()
    return settings


async def run(settings: Settings) -> None:
    """Serves until SIGTERM."""
    server = settings.server
    drain = Drain(max_age_seconds=server.max_stream_age_seconds)
    told = telemetry.set_up("user", server.pod_name, version=server.pod_version, exporter=server.otel_traces_exporter)
    async with open_database(settings.database, migrations=MIGRATIONS, telemetry=told) as database:
        servicer = UserService(UserStore(database, told.gathering), drain)
        service = Service(
            names=(NAME,),
            register=lambda grpc_server: user_pb2_grpc.add_UserServiceServicer_to_server(servicer, grpc_server),
            stores={"database": database.check},
        )
        await serve(server, service, drain, told)
