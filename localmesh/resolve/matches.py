"""The conditions of an HTTP route -> our words, and whether a client meets those that are settled beforehand."""

import re
from collections.abc import Mapping

from localmesh.manifests.istio.common import StringMatch
from localmesh.manifests.istio.virtual_service import HTTPMatchRequest
from localmesh.mesh.identity import Labels
from localmesh.mesh.routes import RequestMatch, Text, TextMatch
from localmesh.resolve.selection import selects

# A header of this name stands for a claim of a verified token. See Istio's "JWT claim based routing".
CLAIM = re.compile(r"@request\.auth\.claims(?P<path>[.\[].*)$")


def applies(match: HTTPMatchRequest, gateway: str, port: int, namespace: str, labels: Labels) -> bool:
    """Whether this client, at this gateway (`mesh` or `namespace/name`, as resolved) and port, is meant."""
    return (
        match.port in {None, 0, port}
        and (not match.gateways or gateway in match.gateways)
        and match.source_namespace in {None, "", namespace}
        and selects(match.source_labels, labels)
    )


def request_match(match: HTTPMatchRequest, *, by_segment: bool = False) -> RequestMatch:
    """What a request must look like. `by_segment`: a prefix is of whole segments of the path."""
    path = _text(match.uri)
    if by_segment and path is not None and path.how is Text.PREFIX and path.value != "/":
        path = TextMatch(Text.SEGMENTS, path.value.removesuffix("/"))
    return RequestMatch(
        path=path,
        path_ignore_case=match.ignore_uri_case,
        method=_text(match.method),
        authority=_text(match.authority),
        scheme=_text(match.scheme),
        headers=_pairs(match.headers),
        without_headers=_pairs(match.without_headers),
        query=_pairs(match.query_params),
        claims=_claims(match.headers),
        without_claims=_claims(match.without_headers),
        stat_prefix=match.stat_prefix or "",
    )


def text_match(match: StringMatch) -> TextMatch:
    """One comparison; with nothing set: present."""
    if match.exact is not None:
        return TextMatch(Text.EXACT, match.exact)
    if match.prefix is not None:
        return TextMatch(Text.PREFIX, match.prefix)
    if match.regex is not None:
        return TextMatch(Text.REGEX, match.regex)
    return TextMatch(Text.PRESENT)


def claim_path(header: str) -> tuple[str, ...] | None:
    """`@request.auth.claims.group` or `@request.auth.claims[realm][roles]` -> the claim's path; None for a header."""
    found = CLAIM.match(header)
    if found is None:
        return None
    path = found["path"]
    return tuple(re.findall(r"\[([^\]]+)\]", path)) if path.startswith("[") else tuple(path[1:].split("."))


def _text(match: StringMatch | None) -> TextMatch | None:
    found = None if match is None else text_match(match)
    return None if found is None or found.how is Text.PRESENT else found


def _pairs(written: Mapping[str, StringMatch]) -> tuple[tuple[str, TextMatch], ...]:
    """In the order of the names, as istiod emits them."""
    return tuple((name, text_match(written[name])) for name in sorted(written) if claim_path(name) is None)


def _claims(written: Mapping[str, StringMatch]) -> tuple[tuple[tuple[str, ...], TextMatch], ...]:
    paths = ((claim_path(name), match) for name, match in sorted(written.items(), key=lambda each: each[0]))
    return tuple((path, text_match(match)) for path, match in paths if path is not None)
