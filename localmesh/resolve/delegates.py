"""Delegation: the routes of another VirtualService below a match of this one. Istio: HTTPRoute.delegate.

A delegated match must lie inside the root's, or both are left out; what the delegate does not say (a timeout,
retries, headers …), the root says.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from localmesh.errors import Where
from localmesh.manifests.istio.common import StringMatch
from localmesh.manifests.istio.virtual_service import HTTPMatchRequest, HTTPRoute

# Of an HTTPRoute: what the root says for a delegate that says nothing.
INHERITED = (
    "rewrite",
    "direct_response",
    "timeout",
    "retries",
    "fault",
    "mirror",
    "mirror_percent",
    "mirror_percentage",
    "cors_policy",
    "mirrors",
    "headers",
)


def below(root: HTTPRoute, delegated: tuple[HTTPRoute, ...]) -> Iterator[HTTPRoute | Where]:
    """The delegate's routes as they act below `root`; the place of one that never can, as its match conflicts."""
    for route in delegated:
        matches = _merged_matches(root.match, route.match)
        if matches is None:
            yield route.where
            continue
        inherited = {name: getattr(route, name) or getattr(root, name) for name in INHERITED if name != "timeout"}
        timeout = root.timeout if route.timeout is None else route.timeout
        name = "-".join(filter(None, (root.name, route.name)))
        yield replace(route, name=name, match=matches, timeout=timeout, **inherited)


def _merged_matches(
    roots: tuple[HTTPMatchRequest, ...], leaves: tuple[HTTPMatchRequest, ...]
) -> tuple[HTTPMatchRequest, ...] | None:
    """Every leaf within every root that it does not contradict; None if one contradicts all."""
    if not roots or not leaves:
        return roots or leaves
    found = []
    for leaf in leaves:
        inside = [_merged(root, leaf) for root in roots if not _conflict(root, leaf)]
        if not inside:
            return None
        found += inside
    return tuple(found)


def _merged(root: HTTPMatchRequest, leaf: HTTPMatchRequest) -> HTTPMatchRequest:
    return replace(
        leaf,
        name="-".join(filter(None, (root.name, leaf.name))),
        uri=leaf.uri or root.uri,
        scheme=leaf.scheme or root.scheme,
        method=leaf.method or root.method,
        authority=leaf.authority or root.authority,
        headers={**root.headers, **leaf.headers},
        without_headers={**root.without_headers, **leaf.without_headers},
        query_params={**root.query_params, **leaf.query_params},
        port=leaf.port or root.port,
        source_labels={**root.source_labels, **leaf.source_labels},
        source_namespace=leaf.source_namespace or root.source_namespace,
        gateways=leaf.gateways or root.gateways,
        stat_prefix=leaf.stat_prefix or root.stat_prefix,
    )


def _conflict(root: HTTPMatchRequest, leaf: HTTPMatchRequest) -> bool:
    texts = (
        (root.uri, leaf.uri),
        (root.scheme, leaf.scheme),
        (root.method, leaf.method),
        (root.authority, leaf.authority),
        *_shared(root.headers, leaf.headers),
        *_shared(root.without_headers, leaf.without_headers),
        *_shared(root.query_params, leaf.query_params),
    )
    labels_differ = any(root.source_labels.get(key, value) != value for key, value in leaf.source_labels.items())
    return (
        any(_texts_conflict(*pair) for pair in texts)
        or root.ignore_uri_case != leaf.ignore_uri_case
        or _differ(root.port, leaf.port)
        or _differ(root.source_namespace, leaf.source_namespace)
        or labels_differ
        or bool(root.gateways and leaf.gateways and not set(leaf.gateways) <= set(root.gateways))
    )


def _shared(
    roots: Mapping[str, StringMatch], leaves: Mapping[str, StringMatch]
) -> Iterator[tuple[StringMatch, StringMatch]]:
    return ((roots[name], leaf) for name, leaf in leaves.items() if name in roots)


def _differ(root: object, leaf: object) -> bool:
    return bool(root) and bool(leaf) and root != leaf


def _texts_conflict(root: StringMatch | None, leaf: StringMatch | None) -> bool:
    """Whether what the leaf takes is not inside what the root takes. Regexes are not looked into."""
    if root is None or leaf is None:
        return False
    if root.regex or leaf.regex:
        other = leaf if root.regex else root
        return bool(other.regex or other.prefix or other.exact)
    if root.exact:
        return bool(leaf.prefix) or leaf.exact != root.exact
    if root.prefix:
        return not (leaf.exact or leaf.prefix or "").startswith(root.prefix)
    return False
