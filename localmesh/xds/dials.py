"""A name that an app dials, and what stands for it at its own sidecar when nothing redirects connections.

Such a listener serves exactly one known authority. So matches on `:authority` are settled here, every request that
reaches it belongs to the one virtual host, and it leaves with the authority that the manifest had: Envoy refuses to
change `:authority` by header operations, but a route may rewrite it.
"""

import re
from dataclasses import replace

from localmesh.mesh.placement import Dial
from localmesh.mesh.pods import ConnectionListener, Outbound
from localmesh.mesh.routes import (
    Forward,
    HttpRoute,
    Redirect,
    Rewrite,
    RouteTable,
    Text,
    TextMatch,
    VirtualHost,
)
from localmesh.xds import names

AUTHORITY = ":authority"


def virtual_host(outbound: Outbound, dial: Dial) -> VirtualHost | None:
    """The routes of the dialed name, if its port is routed by request."""
    return outbound.by_request.get((dial.host, dial.port))


def connection(outbound: Outbound, dial: Dial) -> ConnectionListener | None:
    """The routes of the dialed name, if its port is routed by connection."""
    return outbound.by_connection.get((dial.host, dial.port))


def route_table(host: VirtualHost, dial: Dial) -> RouteTable:
    """The one virtual host for every request, with what depends on the authority settled."""
    routes = tuple(
        _leaving_as(settled, dial.authority)
        for route in host.routes
        if (settled := _settled(route, dial.authority)) is not None
    )
    return RouteTable(names.dial_routes(dial.host, dial.port), (replace(host, domains=("*",), routes=routes),))


def _settled(route: HttpRoute, authority: str) -> HttpRoute | None:
    """The route without its authority matches; None if one of them does not hold."""
    match = route.match
    wanted = [match.authority] if match.authority else []
    wanted += [text for name, text in match.headers if name.lower() == AUTHORITY]
    unwanted = [text for name, text in match.without_headers if name.lower() == AUTHORITY]
    if not wanted and not unwanted:
        return route
    if not all(_holds(text, authority) for text in wanted) or any(_holds(text, authority) for text in unwanted):
        return None
    headers = tuple(one for one in match.headers if one[0].lower() != AUTHORITY)
    without = tuple(one for one in match.without_headers if one[0].lower() != AUTHORITY)
    return replace(route, match=replace(match, authority=None, headers=headers, without_headers=without))


def _holds(wanted: TextMatch, authority: str) -> bool:
    """Whether the authority is as wanted; RE2 and Python agree on all that Istio's documents show."""
    if wanted.how is Text.EXACT:
        return authority == wanted.value
    if wanted.how is Text.PREFIX:
        return authority.startswith(wanted.value)
    if wanted.how is Text.REGEX:
        return re.fullmatch(wanted.value, authority) is not None
    return True


def _leaving_as(route: HttpRoute, authority: str) -> HttpRoute:
    """The route as if the request had come with the authority: what is not rewritten keeps it."""
    action = route.action
    if isinstance(action, Forward):
        rewrite = action.rewrite or Rewrite()
        if rewrite.authority is None:
            rewrite = replace(rewrite, authority=authority)
        return replace(route, action=replace(action, rewrite=rewrite))
    if isinstance(action, Redirect) and action.authority is None:
        # Else the answer would name our own listener. A new port takes the place of the old one.
        host = authority if not (action.port or action.derive_port) else authority.partition(":")[0]
        return replace(route, action=replace(action, authority=host))
    return route
