"""Whom a route catches: RequestMatch as Envoy's RouteMatch."""

from collections.abc import Iterable

from envoy.config.route.v3 import route_components_pb2 as routes
from envoy.type.matcher.v3 import metadata_pb2, value_pb2

from localmesh.mesh.routes import RequestMatch, Text, TextMatch
from localmesh.xds.wire import boolean, regex, text

JWT_METADATA = "envoy.filters.http.jwt_authn"


def route_match(match: RequestMatch, plain: bool = False) -> routes.RouteMatch:
    """The match of one route. `plain`: a route without any match, which istiod writes without case_sensitive."""
    found = routes.RouteMatch(
        headers=list(_headers(match)),
        query_parameters=[_query(name, value) for name, value in match.query],
        dynamic_metadata=[_claim(path, value) for path, value in match.claims]
        + [_claim(path, value, invert=True) for path, value in match.without_claims],
        case_sensitive=None if plain else boolean(not match.path_ignore_case),
    )
    _set_path(found, match.path)
    return found


def _set_path(found: routes.RouteMatch, path: TextMatch | None) -> None:
    if path is None:
        found.prefix = "/"
    elif path.how is Text.EXACT:
        found.path = path.value
    elif path.how is Text.REGEX:
        found.safe_regex.CopyFrom(regex(path.value))
    elif path.how is Text.SEGMENTS:
        found.path_separated_prefix = path.value
    else:
        found.prefix = path.value


def _headers(match: RequestMatch) -> Iterable[routes.HeaderMatcher]:
    """In istiod's order: headers by name, headers that must not be there, then method, authority and scheme."""
    yield from (_header(name, value) for name, value in sorted(match.headers, key=lambda one: one[0]))
    for name, value in sorted(match.without_headers, key=lambda one: one[0]):
        excluded = _header(name, value)
        excluded.invert_match = True
        # A header that is missing is none of the values; to "present" a missing header is just that.
        excluded.treat_missing_header_as_empty = value.how is not Text.PRESENT
        yield excluded
    for name, wanted in ((":method", match.method), (":authority", match.authority), (":scheme", match.scheme)):
        if wanted is not None:
            yield _header(name, wanted)


def _header(name: str, value: TextMatch) -> routes.HeaderMatcher:
    if value.how is Text.PRESENT:
        return routes.HeaderMatcher(name=name, present_match=True)
    return routes.HeaderMatcher(name=name, string_match=text(value))


def _query(name: str, value: TextMatch) -> routes.QueryParameterMatcher:
    if value.how is Text.PRESENT:
        return routes.QueryParameterMatcher(name=name, present_match=True)
    return routes.QueryParameterMatcher(name=name, string_match=text(value))


def _claim(path: tuple[str, ...], value: TextMatch, invert: bool = False) -> metadata_pb2.MetadataMatcher:
    """A claim of a verified token equals the text, or is a list that holds it."""
    wanted = value_pb2.ValueMatcher(string_match=text(value))
    if value.how is Text.PRESENT:
        wanted = value_pb2.ValueMatcher(present_match=True)
    listed = value_pb2.ValueMatcher(list_match=value_pb2.ListMatcher(one_of=wanted))
    either = value_pb2.ValueMatcher(or_match=value_pb2.OrMatcher(value_matchers=[listed, wanted]))
    segments = [metadata_pb2.MetadataMatcher.PathSegment(key=key) for key in ("payload", *path)]
    return metadata_pb2.MetadataMatcher(filter=JWT_METADATA, path=segments, value=either, invert=invert)
