"""What an HTTP route does besides forwarding: redirects, direct responses, faults on purpose, CORS."""

from localmesh.manifests.istio.virtual_service import (
    CorsPolicy,
    HTTPDirectResponse,
    HTTPFaultInjection,
    HTTPRedirect,
)
from localmesh.mesh.routes import Cors, Fault, Redirect, Respond, Text, TextMatch
from localmesh.resolve.matches import text_match

# How istiod marks a path that takes the place of the matched prefix; in a VirtualService it is a path like any other.
PREFIX = "%PREFIX()%"
DEFAULT_PORTS = {"http": 80, "https": 443}


def redirect(written: HTTPRedirect, port: int, *, is_tls: bool = False, gateway_api: bool = False) -> Redirect:
    """`port` is that of the listener: FROM_REQUEST_PORT is settled here. A scheme's default port is not written.

    `gateway_api`: the path may be marked as one that takes the place of the matched prefix.
    """
    target = port if written.derive_port == "FROM_REQUEST_PORT" else written.port
    scheme = written.scheme or ("https" if is_tls else "http")
    uri, prefix = written.uri or "", None
    if gateway_api and uri.startswith(PREFIX):
        uri, prefix = "", uri.removeprefix(PREFIX)
    return Redirect(
        path=uri or None,
        path_prefix=prefix,
        authority=written.authority or None,
        port=None if target == DEFAULT_PORTS.get(scheme) else target,
        derive_port=written.derive_port or "",
        scheme=written.scheme or "",
        code=written.redirect_code or 301,
    )


def response(written: HTTPDirectResponse) -> Respond:
    """An answer without asking anyone."""
    body = written.body
    return Respond(written.status, None if body is None else body.string if body.string is not None else body.bytes_)


def fault(written: HTTPFaultInjection | None) -> Fault | None:
    """Delays and aborts. A percentage that is not written is None and never fires (Istio's own rule)."""
    if written is None:
        return None
    delay, abort = written.delay, written.abort
    delay_percent: float | None = None
    if delay is not None:
        delay_percent = delay.percentage.value if delay.percentage else delay.percent
    return Fault(
        delay=delay.fixed_delay if delay else None,
        delay_percent=delay_percent,
        delay_percent_is_whole=delay is not None and delay.percentage is None and delay.percent is not None,
        abort_http=abort.http_status if abort else None,
        abort_grpc=abort.grpc_status if abort else None,
        abort_percent=abort.percentage.value if abort and abort.percentage else None,
    )


def cors(written: CorsPolicy | None) -> Cors | None:
    """A corsPolicy; `allowOrigin` is the older spelling of exact `allowOrigins`."""
    if written is None:
        return None
    preflights = written.unmatched_preflights or ""
    return Cors(
        allow_origins=tuple(map(text_match, written.allow_origins))
        or tuple(TextMatch(Text.EXACT, each) for each in written.allow_origin),
        allow_methods=written.allow_methods,
        allow_headers=written.allow_headers,
        expose_headers=written.expose_headers,
        max_age=written.max_age,
        allow_credentials=written.allow_credentials,
        unmatched_preflights="" if preflights == "UNSPECIFIED" else preflights,
    )
