"""The rules of HTTPRoute and GRPCRoute -> http routes of a VirtualService, one for each match."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from localmesh.manifests.gateway_api import GRPCRoute, HTTPRoute
from localmesh.manifests.gateway_api.grpc_route import GRPCRouteRule
from localmesh.manifests.gateway_api.http_route import HTTPRouteRetry, HTTPRouteRule, HTTPRouteTimeouts
from localmesh.manifests.istio.virtual_service import HTTPDirectResponse, HTTPMatchRequest, HTTPRetry
from localmesh.manifests.istio.virtual_service import HTTPRoute as IstioRoute
from localmesh.resolve.gateway_api.backends import Backends
from localmesh.resolve.gateway_api.filters import headers, http_actions
from localmesh.resolve.gateway_api.matches import grpc_match, http_match

# What is retried besides the codes, wherever a retry is written: nothing was processed, or a gRPC code says so.
RETRY_ON = ("connect-failure", "refused-stream", "unavailable", "cancelled")
DEFAULT_ATTEMPTS = 2
# The answer of a rule whose backends have no weight, or that has none.
NO_BACKEND = 500


def routes(written: HTTPRoute | GRPCRoute, backends: Backends, port: int | None) -> tuple[IstioRoute, ...]:
    """All routes of a document, as written. `port`: they act on calls to this port of a service only."""
    return tuple(_http(written, backends, port) if isinstance(written, HTTPRoute) else _grpc(written, backends, port))


def _http(written: HTTPRoute, backends: Backends, port: int | None) -> Iterator[IstioRoute]:
    for position, rule in enumerate(written.spec.rules):
        name = rule.name or f"{written.namespace}.{written.name}.{position}"
        matches = [http_match(each, port) for each in rule.matches]
        for match in matches or _any(port):
            fields = dict(http_actions(rule.filters, match))
            retries, timeout = _retries(rule.retry), None
            if rule.timeouts is not None:
                retries, timeout = _timed(retries, rule.timeouts)
            yield _route(rule, name, match, backends, {**fields, "retries": retries, "timeout": timeout})


def _grpc(written: GRPCRoute, backends: Backends, port: int | None) -> Iterator[IstioRoute]:
    for position, rule in enumerate(written.spec.rules):
        name = rule.name or f"{written.namespace}.{written.name}.{position}"
        for match in [grpc_match(each, port) for each in rule.matches] or _any(port):
            yield _route(rule, name, match, backends, {})


def _any(port: int | None) -> list[HTTPMatchRequest | None]:
    """No match; or nothing but the port."""
    return [HTTPMatchRequest(port=port)] if port else [None]


def _route(
    rule: HTTPRouteRule | GRPCRouteRule,
    name: str,
    match: HTTPMatchRequest | None,
    backends: Backends,
    fields: dict[str, Any],
) -> IstioRoute:
    destinations = backends.destinations(rule.backend_refs)
    if not destinations and "redirect" not in fields:
        fields["direct_response"] = HTTPDirectResponse(status=NO_BACKEND, where=rule.where)
    return IstioRoute(
        name=name,
        match=() if match is None else (match,),
        route=destinations,
        mirrors=tuple(backends.mirrors(rule.filters)),
        headers=headers(rule.filters),
        where=rule.where,
        **fields,
    )


def _retries(written: HTTPRouteRetry | None) -> HTTPRetry | None:
    if written is None:
        return None
    attempts = DEFAULT_ATTEMPTS if written.attempts is None else written.attempts
    return HTTPRetry(
        attempts=attempts,
        retry_on=",".join((*RETRY_ON, *map(str, written.codes))) if attempts else "",
        backoff=written.backoff or None,
        where=written.where,
    )


def _timed(retries: HTTPRetry | None, timeouts: HTTPRouteTimeouts) -> tuple[HTTPRetry | None, float | None]:
    """The limit of one try is that of the request where nothing is tried again. 0 is no limit."""
    request, per_try = timeouts.request or None, timeouts.backend_request or None
    if per_try is None:
        return retries, request
    return (None, per_try) if retries is None else (replace(retries, per_try_timeout=per_try), request)
