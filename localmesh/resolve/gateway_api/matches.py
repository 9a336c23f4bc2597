"""Matches of HTTPRoute and GRPCRoute -> matches of a VirtualService."""

from collections.abc import Iterable, Mapping

from localmesh.manifests.gateway_api.common import NamedMatch
from localmesh.manifests.gateway_api.grpc_route import GRPCMethodMatch, GRPCRouteMatch
from localmesh.manifests.gateway_api.http_route import HTTPPathMatch, HTTPRouteMatch
from localmesh.manifests.istio.common import StringMatch
from localmesh.manifests.istio.virtual_service import HTTPMatchRequest


def http_match(match: HTTPRouteMatch, port: int | None) -> HTTPMatchRequest:
    """One match of an HTTPRoute; `port`: only of calls to this port of a service."""
    return HTTPMatchRequest(
        uri=_path(match.path),
        headers=_named(match.headers),
        query_params=_named(match.query_params),
        method=StringMatch(exact=match.method, where=match.where) if match.method else None,
        port=port,
        where=match.where,
    )


def grpc_match(match: GRPCRouteMatch, port: int | None) -> HTTPMatchRequest:
    """One match of a GRPCRoute. A method without its service, or any regular expression, is one of the whole path."""
    return HTTPMatchRequest(
        uri=None if match.method is None else _method(match.method),
        headers=_named(match.headers),
        port=port,
        where=match.where,
    )


def _path(path: HTTPPathMatch) -> StringMatch:
    match path.type:
        case "Exact":
            return StringMatch(exact=path.value, where=path.where)
        case "RegularExpression":
            return StringMatch(regex=path.value, where=path.where)
    return StringMatch(prefix=path.value.removesuffix("/") or "/", where=path.where)


def _method(match: GRPCMethodMatch) -> StringMatch:
    service, method, where = match.service, match.method, match.where
    if not service:
        return StringMatch(regex=f"/[^/]+/{method}", where=where)
    if match.type == "RegularExpression":
        return StringMatch(regex=f"/{service}/{method or '.+'}", where=where)
    if not method:
        return StringMatch(prefix=f"/{service}/", where=where)
    return StringMatch(exact=f"/{service}/{method}", where=where)


def _named(matches: Iterable[NamedMatch]) -> Mapping[str, StringMatch]:
    return {
        each.name: StringMatch(exact=each.value, where=each.where)
        if each.type == "Exact"
        else StringMatch(regex=each.value, where=each.where)
        for each in matches
    }
