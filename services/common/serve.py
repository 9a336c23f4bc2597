"""From a servicer to a server: interceptors, health, reflection, /metrics, and an orderly end.

SIGTERM or SIGINT: health says NOT_SERVING (`""`, `readiness` and the services; `liveness` stays SERVING, see `health`);
the listener closes; running unary calls finish; streams end themselves with UNAVAILABLE, reason STREAM_DRAINING and
`resume_after` (see `drain`); what is left after DRAIN_SECONDS is cut. Then the process exits with 0.

    async def run(settings: UserSettings) -> None:
        drain = Drain(max_age_seconds=settings.server.max_stream_age_seconds)
        async with open_store(...) as store:
            service = Service(
                names=(NAME,),
                register=lambda server: add_UserServiceServicer_to_server(Users(store, drain), server),
                stores={"database": store.check},
            )
            await serve(settings.server, service, drain, telemetry)
"""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import grpc.aio
from grpc_health.v1 import health_pb2_grpc

from services.common.channels import MAX_MESSAGE_BYTES
from services.common.drain import Drain
from services.common.health import Check, Health, follow_stores
from services.common.interceptors.order import server_interceptors
from services.common.reflection import add_reflection
from services.common.settings import ServerSettings, SettingsError
from services.common.stopping import stopped
from services.common.telemetry import Telemetry, metrics_served

log = logging.getLogger(__name__)

OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # gRPC refuses at random between its soft and hard limit, so the two are one.
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.absolute_max_metadata_size", 16 * 1024),
    ("grpc.max_concurrent_streams", 1000),
    # A port that is taken is an error, not a share of the calls.
    ("grpc.so_reuseport", 0),
    # The peer is a sidecar that pools connections and may ping them while idle: that is no abuse.
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
)

# Of DRAIN_SECONDS, kept for what comes after the calls: a third each for the last connections, for the last spans, and
# for closing stores and writing the last log lines.
_CLOSING_SHARE = 0.15
_CUTTING_SHARE = _SPANS_SHARE = _CLOSING_SHARE / 3


@dataclass(frozen=True)
class Service:
    """What is served: full names for health and reflection, the registration, and a check for each store.

    `described` are services of others that reflection describes too: for a gateway that asks only here.
    """

    names: Sequence[str]
    register: Callable[[grpc.aio.Server], None]
    stores: Mapping[str, Check] = field(default_factory=dict)
    described: Sequence[str] = ()


async def serve(settings: ServerSettings, service: Service, drain: Drain, telemetry: Telemetry) -> None:
    """Serves until SIGTERM or SIGINT, then drains; returns within DRAIN_SECONDS of the signal.

    Where it cannot start (a taken port, a JWKS file without a key), says so in the log and exits with 2.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        async with running(settings, service, drain, telemetry):
            await stop.wait()
            log.info("draining")
    except SettingsError as error:
        log.critical("cannot start: %s", error)
        raise SystemExit(2) from None
    finally:
        await telemetry.close(settings.drain_seconds * _SPANS_SHARE)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


@asynccontextmanager
async def running(
    settings: ServerSettings, service: Service, drain: Drain, telemetry: Telemetry
) -> AsyncIterator[Health]:
    """A server that listens while the context lasts, and drains at its end. Raises SettingsError if it cannot start."""
    health = Health(service.names, drain)
    server = grpc.aio.server(interceptors=server_interceptors(settings, telemetry), options=OPTIONS)
    service.register(server)
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    add_reflection(server, (*service.names, *service.described, "grpc.health.v1.Health"), drain)
    try:
        server.add_insecure_port(settings.grpc_listen)
    except RuntimeError:
        raise SettingsError(f"GRPC_LISTEN cannot be listened on: {settings.grpc_listen}") from None
    async with metrics_served(telemetry.registry, settings.metrics_listen):
        await server.start()
        log.info("serving on %s", settings.grpc_listen)
        following = asyncio.create_task(follow_stores(health, service.stores))
        try:
            yield health
        finally:
            drain.begin()
            health.tell()
            seconds = settings.drain_seconds
            await stopped(server, grace=seconds * (1 - _CLOSING_SHARE), margin=seconds * _CUTTING_SHARE)
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following
