"""Routes of a VirtualService that nothing reaches, because earlier ones take it all."""

from collections.abc import Iterator, Mapping, Sequence

from localmesh import codes
from localmesh.errors import Problem
from localmesh.manifests.istio.common import StringMatch
from localmesh.manifests.istio.virtual_service import HTTPMatchRequest, HTTPRoute, TCPRoute, TLSRoute

_Route = HTTPRoute | TCPRoute | TLSRoute


def unreachable(routes: Sequence[_Route]) -> Iterator[Problem]:
    """Routes behind one that matches everything, matches written twice, and prefixes behind a shorter prefix."""
    catch_all: _Route | None = None
    seen: list[tuple[HTTPMatchRequest | object, _Route]] = []
    for route in routes:
        if catch_all is not None:
            yield codes.UNREACHED_ROUTE.at(
                route.where, "no call reaches this route", f"{catch_all.where} has no match: it takes all"
            )
            continue
        if not route.match:
            catch_all = route
        for match in route.match:
            yield from _covered(match, seen)
            seen.append((match, route))


def _covered(match: object, seen: Sequence[tuple[object, _Route]]) -> Iterator[Problem]:
    for earlier, route in seen:
        if _same(earlier, match) or _wider(earlier, match):
            where = getattr(match, "where", route.where)
            yield codes.UNREACHED_MATCH.at(
                where, "no call reaches this match", f"{route.where} matches all of it earlier"
            )
            return


def _same(one: object, other: object) -> bool:
    """Whether two matches ask for the same; the name of a match asks for nothing."""
    if isinstance(one, HTTPMatchRequest) and isinstance(other, HTTPMatchRequest):
        return _asked(one) == _asked(other) and _prefix(one) == _prefix(other) and one.uri == other.uri
    return one == other


def _wider(one: object, other: object) -> bool:
    """Whether `one` differs from `other` by a shorter URI prefix only."""
    if not isinstance(one, HTTPMatchRequest) or not isinstance(other, HTTPMatchRequest):
        return False
    shorter, longer = _prefix(one), _prefix(other)
    return bool(shorter) and longer.startswith(shorter) and _asked(one) == _asked(other)


def _prefix(match: HTTPMatchRequest) -> str:
    return match.uri.prefix or "" if match.uri else ""


def _asked(match: HTTPMatchRequest) -> tuple[object, ...]:
    """All that a match asks for beside the URI."""
    return (
        match.scheme,
        match.method,
        match.authority,
        _pairs(match.headers),
        _pairs(match.without_headers),
        _pairs(match.query_params),
        match.port,
        dict(match.source_labels),
        match.source_namespace,
        match.gateways,
        match.ignore_uri_case,
    )


def _pairs(values: Mapping[str, StringMatch]) -> dict[str, StringMatch]:
    return dict(values)
