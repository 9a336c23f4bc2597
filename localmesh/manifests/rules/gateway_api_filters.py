"""Filters of HTTPRoute and GRPCRoute: each has the field that its type names, and they fit together."""

from collections.abc import Iterator, Sequence

from localmesh.errors import Problem
from localmesh.manifests.gateway_api.common import BackendObjectReference, HeaderFilter, RequestMirrorFilter
from localmesh.manifests.gateway_api.grpc_route import GRPCRouteFilter
from localmesh.manifests.gateway_api.http_route import (
    CORSFilter,
    HTTPPathModifier,
    HTTPRouteFilter,
    HTTPRouteRule,
    RequestRedirectFilter,
)
from localmesh.manifests.record import spelled
from localmesh.manifests.rules.gateway_api import wrong_hostname
from localmesh.manifests.rules.headers import wrong_name, wrong_value
from localmesh.manifests.rules.names import is_label

Filters = Sequence[HTTPRouteFilter | GRPCRouteFilter]

_FIELDS = {
    "RequestHeaderModifier": "request_header_modifier",
    "ResponseHeaderModifier": "response_header_modifier",
    "RequestMirror": "request_mirror",
    "RequestRedirect": "request_redirect",
    "URLRewrite": "url_rewrite",
    "CORS": "cors",
}
_REPEATABLE = frozenset({"RequestMirror"})
_MODIFIED = {"ReplaceFullPath": "replace_full_path", "ReplacePrefixMatch": "replace_prefix_match"}
REDIRECT_CODES = frozenset({301, 302, 303, 307, 308})
OF_BACKENDS = frozenset({"RequestHeaderModifier", "ResponseHeaderModifier"})
"""What istiod makes of a filter at a single backend."""


def problems(filters: Filters) -> Iterator[Problem]:
    """What is wrong with the filters of a rule or a backend."""
    seen: set[str] = set()
    for each in filters:
        if each.type in seen and each.type not in _REPEATABLE:
            yield Problem(each.at("type"), f"a second {each.type}: each kind of filter once")
        seen.add(each.type)
        yield from _filter(each)
    if {"RequestRedirect", "URLRewrite"} <= seen:
        yield Problem(filters[0].where, "a request is either redirected or rewritten, not both")


def path_problems(rule: HTTPRouteRule) -> Iterator[Problem]:
    """A prefix is only replaced where exactly one was matched; and what is redirected goes to no backend."""
    prefixes = [match.path for match in rule.matches if match.path.type == "PathPrefix"]
    one_prefix = len(rule.matches) == len(prefixes) == 1
    for each in rule.filters:
        if each.request_redirect is not None and rule.backend_refs:
            yield Problem(rule.at("backend_refs"), "a rule that redirects has no backendRefs")
        for changed in (each.request_redirect, each.url_rewrite):
            path = changed.path if changed is not None else None
            if path is not None and path.type == "ReplacePrefixMatch" and not one_prefix:
                yield Problem(path.at("type"), "ReplacePrefixMatch needs exactly one match, by PathPrefix")


def backend_problems(backend: BackendObjectReference) -> Iterator[Problem]:
    """What is wrong with a reference to a backend."""
    if backend.port is None:
        yield Problem(backend.where, "this backend has no port")
    if (backend.group, backend.kind) == ("", "Service") and not is_label(backend.name):
        yield Problem(backend.at("name"), f'"{backend.name}" is not the name of a Service', "name, not host name")


def _filter(each: HTTPRouteFilter | GRPCRouteFilter) -> Iterator[Problem]:
    wanted = _FIELDS.get(each.type)
    cls: type = type(each)
    names = spelled(cls)
    if wanted is not None and getattr(each, wanted) is None:
        yield Problem(each.where, f"a filter of type {each.type} needs {names[wanted]}")
    for field in _FIELDS.values():
        if field != wanted and getattr(each, field, None) is not None:
            yield Problem(each.at(field), f"{names[field]} does not go with type {each.type}")
    for headers in (each.request_header_modifier, each.response_header_modifier):
        if headers is not None:
            yield from _headers(headers)
    if each.request_mirror is not None:
        yield from _mirror(each.request_mirror)
    if isinstance(each, HTTPRouteFilter):
        yield from _http(each)


def _headers(headers: HeaderFilter) -> Iterator[Problem]:
    for operations in (headers.set, headers.add):
        names: set[str] = set()
        for each in operations:
            wrong = wrong_name(each.name) if not each.name.startswith(":") else f'"{each.name}" cannot be changed'
            if wrong:
                yield Problem(each.at("name"), wrong)
            if wrong := wrong_value(each.value):
                yield Problem(each.at("value"), wrong)
            if each.name in names:
                yield Problem(each.at("name"), f'"{each.name}" is written twice')
            names.add(each.name)


def _mirror(mirror: RequestMirrorFilter) -> Iterator[Problem]:
    yield from backend_problems(mirror.backend_ref)
    fraction = mirror.fraction
    if fraction is not None and not 0 <= fraction.numerator <= fraction.denominator != 0:
        yield Problem(fraction.where, "a fraction is between 0 and 1")


def _http(each: HTTPRouteFilter) -> Iterator[Problem]:
    if each.request_redirect is not None:
        yield from _redirect(each.request_redirect)
    if each.url_rewrite is not None:
        if each.url_rewrite.hostname and (wrong := wrong_hostname(each.url_rewrite.hostname)):
            yield Problem(each.url_rewrite.at("hostname"), wrong)
        yield from _modifier(each.url_rewrite.path)
    if each.cors is not None:
        yield from _cors(each.cors)


def _redirect(redirect: RequestRedirectFilter) -> Iterator[Problem]:
    if redirect.status_code not in REDIRECT_CODES:
        what = f"{redirect.status_code} is no redirect: {', '.join(map(str, sorted(REDIRECT_CODES)))}"
        yield Problem(redirect.at("status_code"), what)
    if redirect.hostname and (wrong := wrong_hostname(redirect.hostname)):
        yield Problem(redirect.at("hostname"), wrong)
    yield from _modifier(redirect.path)


def _modifier(path: HTTPPathModifier | None) -> Iterator[Problem]:
    if path is None:
        return
    for kind, field in _MODIFIED.items():
        if (getattr(path, field) is None) == (path.type == kind):
            needs = "needs" if path.type == kind else "excludes"
            yield Problem(path.at(field), f"type {path.type} {needs} {kind[:1].lower()}{kind[1:]}")


def _cors(cors: CORSFilter) -> Iterator[Problem]:
    for index, origin in enumerate(cors.allow_origins):
        if "*" in origin:
            what = f'"{origin}": Istio 1.30 compares allowOrigins as they are, so a wildcard matches nobody'
            yield Problem(cors.at("allow_origins", index), what, "use a VirtualService with allowOrigins regex")
    if cors.max_age < 1:
        yield Problem(cors.at("max_age"), "maxAge is 1 second or more")
