"""Client channels, as every service opens them towards its neighbours."""

import grpc
import grpc.aio

from services.common.interceptors.order import client_interceptors
from services.common.telemetry import Telemetry

MAX_MESSAGE_BYTES = 4 * 1024 * 1024

OPTIONS = (
    # Retries live in one layer, the mesh: two layers multiply (3 x 3 calls for one).
    ("grpc.enable_retries", 0),
    # The sidecar is the proxy; http_proxy of the surroundings is not meant.
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # A sidecar that restarts is back in a moment; the default backs off to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 2000),
    # Pings go to the next hop only; a dead one is noticed while calls wait for it.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
)


def open_channel(target: str, telemetry: Telemetry, *, default_deadline_seconds: float = 10.0) -> grpc.aio.Channel:
    """A channel to `host:port` or `unix:/path` whose calls carry on the current call's token and deadline.

    Close it (`await channel.close()`) before the event loop ends. A call that is no child of a served call needs its
    own `authorization` metadata.
    """
    return grpc.aio.insecure_channel(
        target,
        options=OPTIONS,
        interceptors=client_interceptors(target, telemetry, default_deadline_seconds=default_deadline_seconds),
    )
