"""Which of several routes is tried first: HTTPRouteRule's precedence, as istiod sorts.

Exact paths, then prefixes, then regular expressions, the longer first; of equals those with a method, those with more
headers, those with more query parameters; then the older route. A route without any match is the last.
"""

from collections.abc import Iterable

from localmesh.manifests.istio.common import StringMatch
from localmesh.manifests.istio.virtual_service import HTTPRoute


def sorted_routes(routes: Iterable[HTTPRoute]) -> tuple[HTTPRoute, ...]:
    """In the order in which they are tried; equals stay as they come."""
    return tuple(sorted(routes, key=_rank))


def _rank(route: HTTPRoute) -> tuple[int, ...]:
    if not route.match:
        return (1,)
    match = route.match[0]  # each route has one at most
    kind, length = _path(match.uri)
    return (0, -kind, -length, -(match.method is not None), -len(match.headers), -len(match.query_params))


def _path(uri: StringMatch | None) -> tuple[int, int]:
    if uri is None:
        return (-1, 0)
    if uri.exact is not None:
        return (3, len(uri.exact))
    if uri.prefix is not None:
        return (2, len(uri.prefix))
    return (1, len(uri.regex or ""))
