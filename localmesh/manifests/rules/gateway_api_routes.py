"""HTTPRoute and GRPCRoute: what the schemas of the Gateway API's CRDs (v1.5, with their CEL rules) ask of a document.

Where istiod itself drops a route that the schema takes (a backend whose name is no Service's), that is here too.
"""

from collections.abc import Iterable, Iterator, Sequence

from localmesh.errors import Problem
from localmesh.manifests.gateway_api import GRPCRoute, HTTPRoute
from localmesh.manifests.gateway_api.common import NamedMatch, ParentReference
from localmesh.manifests.gateway_api.grpc_route import GRPCBackendRef, GRPCMethodMatch
from localmesh.manifests.gateway_api.http_route import HTTPBackendRef, HTTPPathMatch, HTTPRouteRule
from localmesh.manifests.record import Record
from localmesh.manifests.rules import gateway_api_filters as filters
from localmesh.manifests.rules.gateway_api import wrong_hostname
from localmesh.manifests.rules.headers import wrong_name
from localmesh.manifests.rules.regex import wrong_regex

_FORBIDDEN_IN_PATHS = ("//", "/./", "/../", "%2f", "%2F", "#")
_FORBIDDEN_AT_END = ("/..", "/.")


def http_problems(resource: HTTPRoute) -> Iterator[Problem]:
    """What is wrong with an HTTPRoute."""
    spec = resource.spec
    yield from _head(spec, spec.parent_refs, spec.hostnames)
    for rule in spec.rules:
        for match in rule.matches:
            yield from _path(match.path)
            yield from _named(match.headers, header=True)
            yield from _named(match.query_params, header=False)
        yield from filters.problems(rule.filters)
        yield from filters.path_problems(rule)
        yield from _backends(rule.backend_refs)
        yield from _times(rule)


def grpc_problems(resource: GRPCRoute) -> Iterator[Problem]:
    """What is wrong with a GRPCRoute."""
    spec = resource.spec
    yield from _head(spec, spec.parent_refs, spec.hostnames)
    for rule in spec.rules:
        for match in rule.matches:
            yield from _method(match.method)
            yield from _named(match.headers, header=True)
        yield from filters.problems(rule.filters)
        yield from _backends(rule.backend_refs)


def _head(spec: Record, parents: Sequence[ParentReference], hostnames: Sequence[str]) -> Iterator[Problem]:
    if not parents:
        yield Problem(spec.where, "this route has no parentRefs: it is in force nowhere")
    for index, hostname in enumerate(hostnames):
        if wrong := wrong_hostname(hostname):
            yield Problem(spec.at("hostnames", index), wrong)


def _path(path: HTTPPathMatch) -> Iterator[Problem]:
    if path.type == "RegularExpression":
        if wrong := wrong_regex(path.value):
            yield Problem(path.at("value"), wrong)
        return
    if not path.value.startswith("/"):
        yield Problem(path.at("value"), f'"{path.value}" is no path: it begins with "/"')
    bad = next((each for each in _FORBIDDEN_IN_PATHS if each in path.value), None)
    bad = bad or next((each for each in _FORBIDDEN_AT_END if path.value.endswith(each)), None)
    if bad:
        yield Problem(path.at("value"), f'"{path.value}" has "{bad}": paths are matched as they are normalised')


def _method(method: GRPCMethodMatch | None) -> Iterator[Problem]:
    if method is None:
        return
    if not method.service and not method.method:
        yield Problem(method.where, "a method match names service, method or both")
    for field in ("service", "method"):
        value: str | None = getattr(method, field)
        if not value:
            continue
        if method.type == "RegularExpression":
            if wrong := wrong_regex(value):
                yield Problem(method.at(field), wrong)
        elif "/" in value:
            yield Problem(method.at(field), f'"{value}" has a "/": the service is `package.Service`')


def _named(matches: Iterable[NamedMatch], *, header: bool) -> Iterator[Problem]:
    seen: set[str] = set()
    for match in matches:
        if header and (wrong := wrong_name(match.name)):
            yield Problem(match.at("name"), wrong)
        if match.name in seen:
            yield Problem(match.at("name"), f'"{match.name}" is matched twice')
        seen.add(match.name)
        if match.type == "RegularExpression" and (wrong := wrong_regex(match.value)):
            yield Problem(match.at("value"), wrong)


def _backends(backends: Iterable[HTTPBackendRef | GRPCBackendRef]) -> Iterator[Problem]:
    for each in backends:
        yield from filters.backend_problems(each)
        yield from filters.problems(each.filters)
        for one in each.filters:
            if one.type not in filters.OF_BACKENDS:
                yield Problem(one.at("type"), f"Istio does not support {one.type} at a backend", "put it at the rule")


def _times(rule: HTTPRouteRule) -> Iterator[Problem]:
    timeouts = rule.timeouts
    if timeouts is not None and timeouts.request and (timeouts.backend_request or 0) > timeouts.request:
        yield Problem(timeouts.at("backend_request"), "one try may take longer than the request in all")
    if rule.retry is not None and rule.retry.attempts is not None and rule.retry.attempts < 0:
        yield Problem(rule.retry.at("attempts"), "attempts is 0 or more")
