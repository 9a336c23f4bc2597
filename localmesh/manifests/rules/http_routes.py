"""HTTP routes of a VirtualService: which parts go together, and what each part must hold."""

from collections.abc import Iterator

from localmesh.errors import Problem
from localmesh.manifests.istio.common import StringMatch
from localmesh.manifests.istio.virtual_service import HTTPMatchRequest, HTTPRoute
from localmesh.manifests.rules import headers, http_actions, retries
from localmesh.manifests.rules.destinations import destination_problems, weight_problems
from localmesh.manifests.rules.gateway_names import gateway_name_problems
from localmesh.manifests.rules.names import wrong_label
from localmesh.manifests.rules.regex import wrong_regex
from localmesh.manifests.rules.selectors import label_problems

_EXCLUSIVE = (
    ("redirect", "route"),
    ("redirect", "fault"),
    ("redirect", "rewrite"),
    ("redirect", "direct_response"),
    ("direct_response", "route"),
    ("direct_response", "fault"),
    ("direct_response", "rewrite"),
    ("mirror", "mirrors"),
)
_SPOKEN = {"direct_response": "directResponse"}


def route_problems(route: HTTPRoute, *, delegated: bool) -> Iterator[Problem]:
    """What is wrong with a route. `delegated`: it belongs to a VirtualService without hosts."""
    yield from _parts(route, delegated=delegated)
    in_delegation = delegated or route.delegate is not None
    for match in route.match:
        yield from _match(match, in_delegation=in_delegation)
    yield from headers.problems(route.headers)
    yield from _authority(route)
    yield from http_actions.problems(route)
    yield from retries.problems(route.retries)
    for each in route.route:
        yield from destination_problems(each.destination)
        yield from headers.problems(each.headers)
    yield from weight_problems(route.route)


def _parts(route: HTTPRoute, *, delegated: bool) -> Iterator[Problem]:
    """Which of the parts of a route exclude each other, and that there is something to do."""
    if route.delegate and delegated:
        yield Problem(route.at("delegate"), "a delegate cannot delegate further")
    if route.delegate and not delegated:
        for field in ("route", "redirect"):
            if getattr(route, field):
                yield Problem(route.at(field), f"a route that delegates has no {field} of its own")
        return
    for one, other in _EXCLUSIVE:
        if getattr(route, one) and getattr(route, other):
            spoken = _SPOKEN.get(one, one), _SPOKEN.get(other, other)
            yield Problem(route.at(other), f"a route has either {spoken[0]} or {spoken[1]}, not both")
    if not (route.route or route.redirect or route.direct_response):
        yield Problem(route.where, "this route does nothing", "it needs route, redirect, directResponse or delegate")


def _match(match: HTTPMatchRequest, *, in_delegation: bool) -> Iterator[Problem]:
    for field in ("uri", "scheme", "method", "authority"):
        yield from _string(getattr(match, field), field, in_delegation=in_delegation)
    for field in ("headers", "without_headers", "query_params"):
        for name, value in getattr(match, field).items():
            wrong = None if field == "query_params" or headers.is_claim(name) else headers.wrong_name(name)
            if wrong:
                yield Problem(match.at(field, name), wrong)
            yield from _string(value, name, in_delegation=in_delegation)
    if match.port is not None and match.port > 65535:
        yield Problem(match.at("port"), f"{match.port} is not a port number: 1 to 65535")
    if match.source_namespace and (wrong := wrong_label(match.source_namespace, "namespace")):
        yield Problem(match.at("source_namespace"), wrong)
    yield from label_problems(match.source_labels, match.at("source_labels"))
    yield from gateway_name_problems(match)


def _string(value: StringMatch | None, what: str, *, in_delegation: bool) -> Iterator[Problem]:
    if value is None or value.regex is None:
        return
    if in_delegation:
        hint = "root and delegate are merged by comparing their matches"
        yield Problem(value.at("regex"), f"{what} cannot be a regex in a delegation", hint)
    elif wrong := wrong_regex(value.regex):
        yield Problem(value.at("regex"), wrong, "Istio compiles RE2: github.com/google/re2/wiki/Syntax")


def _authority(route: HTTPRoute) -> Iterator[Problem]:
    """The authority can be rewritten in one place only."""
    places = [route.rewrite.at("authority")] if route.rewrite and route.rewrite.authority else []
    request = route.headers.request if route.headers else None
    if request:
        for field, values in (("set", request.set), ("add", request.add)):
            places += [request.at(field, name) for name in values if headers.is_authority(name)]
    for place in places[1:]:
        yield Problem(place, "the authority is changed twice", f"first at {places[0]}")
