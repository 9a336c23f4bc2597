"""What surrounds each call, on both sides, and in which order.

Server, outermost first; each line says why it stands where it does:

    tracing          first: every log line of the call has its span, that of an unexpected exception too
    mapped errors    whatever leaves any of those below becomes a status with details
    access log       sees the refused calls too, who was let in, and what metrics have counted
    metrics          counts every call, also those that auth or validation refuse
    replica headers  with the first response; a refused call has sent nothing yet
    deadlines        the time for a call includes the checks
    auth             before validation: a stranger learns nothing about the contract's bounds
    validation       last: the handler sees only what the contract allows

Client, outermost first: tracing (so that the others run inside the span), then token, deadline, metrics and log line.
"""

from collections.abc import Mapping, Sequence

import grpc.aio

from services.common.interceptors import access, auth, deadlines, outcome, outgoing, tracing, validation
from services.common.interceptors.chain import Layer, ServerChain
from services.common.settings import ServerSettings
from services.common.telemetry import Telemetry


def server_interceptors(settings: ServerSettings, telemetry: Telemetry) -> Sequence[grpc.aio.ServerInterceptor]:
    """The server side. Reads the JWKS file: raises SettingsError if it holds no key."""
    return [ServerChain(list(server_layers(settings, telemetry).values()))]


def server_layers(settings: ServerSettings, telemetry: Telemetry) -> Mapping[str, Layer]:
    """The layers of the server side by name, outermost first."""
    replica = (("x-pod", settings.pod_name), ("x-version", settings.pod_version))
    verifier = auth.TokenVerifier(settings.jwt_jwks_file, settings.jwt_issuer, settings.jwt_audience)
    return {
        "tracing": tracing.traced(telemetry.tracer_provider),
        "mapped errors": outcome.mapped_errors(replica),
        "access log": access.logged,
        "metrics": telemetry.server_calls.counted,
        "replica headers": outcome.replica_headers(replica),
        "deadlines": deadlines.limited(settings.default_deadline_seconds, settings.max_deadline_seconds),
        "auth": auth.authenticated(verifier),
        "validation": validation.validated,
    }


def client_interceptors(
    target: str, telemetry: Telemetry, *, default_deadline_seconds: float
) -> Sequence[grpc.aio.ClientInterceptor]:
    """The client side, for one channel to `target`."""
    return [
        *tracing.client_interceptors(telemetry.tracer_provider, target),
        *outgoing.client_interceptors(telemetry.client_calls, default_seconds=default_deadline_seconds),
    ]
