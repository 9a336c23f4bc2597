"""Who may ask, and what a browser may do with the answers: this machine's own page, and nothing from elsewhere.

A page of another site must neither read nor steer what runs here. So a request is refused whose Host is no loopback
address (DNS rebinding gives a foreign name our address), or that a browser says another site has made (Fetch Metadata,
https://www.w3.org/TR/fetch-metadata/). Nothing here changes anything: only GET and HEAD are answered.
"""

import ipaddress
from collections.abc import Awaitable, Callable

from aiohttp import web

from localmesh.errors import MeshError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

# https://www.w3.org/TR/CSP3/: scripts, styles and requests of our own origin only; no inline code, no frames, no forms.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def loopback(listen: str) -> tuple[str, int]:
    """Host and port of `127.0.0.1:8088`, `localhost:8088` or `[::1]:8088`.

    Raises MeshError for anything that another machine could reach: the page needs no password.
    """
    host, _, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    hint = "such as 127.0.0.1:8088"
    if not port.isascii() or not port.isdigit() or len(port) > 5 or int(port) > 65535:
        raise MeshError(f"{listen!r} is not an address and a port", hint)
    try:
        own = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        own = False
    if not own:
        raise MeshError(f"{listen} is not an address of this machine alone", f"the page needs no password: {hint}")
    return host, int(port)


@web.middleware
async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuses what comes from elsewhere, and tells the browser what the answer may do."""
    try:
        _refuse_strangers(request)
        response = await handler(request)
    except web.HTTPException as answer:
        answer.headers.update(HEADERS)
        raise
    if not response.prepared:
        response.headers.update(HEADERS)
    return response


def _refuse_strangers(request: web.Request) -> None:
    if request.method not in {"GET", "HEAD"}:
        raise web.HTTPMethodNotAllowed(request.method, ["GET", "HEAD"])
    if not _is_here(request.host):
        raise web.HTTPForbidden(text=f"this page is not {request.host}\n")
    # A link from another page may open ours (a navigation); only ours may ask for data.
    if request.path.startswith("/api/") and request.headers.get("Sec-Fetch-Site", "none") not in {
        "same-origin",
        "none",
    }:
        raise web.HTTPForbidden(text="only for this page\n")


def _is_here(host: str) -> bool:
    """Whether a Host header names this machine by an address that no foreign name server can hand out."""
    try:
        loopback(host if host.rpartition(":")[2].isdigit() and not host.endswith("]") else f"{host}:80")
    except MeshError:
        return False
    return True
