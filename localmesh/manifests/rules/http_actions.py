"""What an HTTP route does beside routing: redirect, direct response, rewrite, faults, mirrors, CORS."""

from collections.abc import Iterator

from localmesh.errors import Problem
from localmesh.manifests.istio.common import Percent
from localmesh.manifests.istio.virtual_service import (
    CorsPolicy,
    HTTPDirectResponse,
    HTTPFaultInjection,
    HTTPRedirect,
    HTTPRewrite,
    HTTPRoute,
)
from localmesh.manifests.rules.destinations import destination_problems
from localmesh.manifests.rules.headers import wrong_name
from localmesh.manifests.rules.regex import wrong_regex

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE"})
_LARGEST_BODY = 1024 * 1024
_GRPC_STATUS = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
]


def problems(route: HTTPRoute) -> Iterator[Problem]:
    """What is wrong with these parts of a route."""
    if route.redirect:
        yield from _redirect(route.redirect)
    if route.direct_response:
        yield from _direct_response(route.direct_response)
    if route.rewrite:
        yield from _rewrite(route.rewrite)
    if route.fault:
        yield from _fault(route.fault)
    if route.cors_policy:
        yield from _cors(route.cors_policy)
    yield from _mirrors(route)


def _redirect(redirect: HTTPRedirect) -> Iterator[Problem]:
    somewhere = redirect.port is not None or redirect.derive_port is not None
    if not (redirect.uri or redirect.authority or redirect.scheme or somewhere):
        yield Problem(redirect.where, "this redirect leads nowhere", "set uri, authority, scheme or port")
    if redirect.scheme not in {None, "", "http", "https"}:
        yield Problem(redirect.at("scheme"), f'"{redirect.scheme}" is not a scheme', "http or https")
    if redirect.port is not None and redirect.port > 65535:
        yield Problem(redirect.at("port"), f"{redirect.port} is not a port number: 1 to 65535")
    code = redirect.redirect_code
    if code and not 300 <= code <= 399:
        yield Problem(redirect.at("redirect_code"), f"{code} is not a redirect: 301, 302, 303, 307 or 308")


def _status(status: int) -> str | None:
    return None if 200 <= status <= 600 else f"{status} is not an HTTP status that can be answered: 200 to 599"


def _direct_response(response: HTTPDirectResponse) -> Iterator[Problem]:
    if wrong := _status(response.status):
        yield Problem(response.at("status"), wrong)
    body = response.body
    if body and max(len((body.string or "").encode()), len(body.bytes_ or b"")) > _LARGEST_BODY:
        yield Problem(body.where, "the body of a direct response is 1 MiB at most")


def _rewrite(rewrite: HTTPRewrite) -> Iterator[Problem]:
    regex = rewrite.uri_regex_rewrite
    if not (rewrite.uri or rewrite.authority or regex):
        yield Problem(rewrite.where, "this rewrite changes nothing", "set uri, uriRegexRewrite or authority")
    if rewrite.uri and regex:
        yield Problem(regex.where, "a rewrite has either uri or uriRegexRewrite, not both")
    if regex and not (regex.match and regex.rewrite):
        yield Problem(regex.where, "uriRegexRewrite needs both match and rewrite")
    elif regex and regex.match and (wrong := wrong_regex(regex.match)):
        yield Problem(regex.at("match"), wrong, "Istio compiles RE2: github.com/google/re2/wiki/Syntax")


def _fault(fault: HTTPFaultInjection) -> Iterator[Problem]:
    if not (fault.abort or fault.delay):
        yield Problem(fault.where, "this fault does nothing", "set abort or delay")
    if fault.delay:
        yield from _share(fault.delay.percentage)
        if fault.delay.exponential_delay is not None:
            yield Problem(fault.delay.at("exponential_delay"), "istiod has no exponentialDelay", "use fixedDelay")
    if fault.abort:
        yield from _share(fault.abort.percentage)
        if fault.abort.http2_error is not None:
            yield Problem(fault.abort.at("http2_error"), "istiod has no http2Error", "use httpStatus or grpcStatus")
        if fault.abort.http_status is not None and (wrong := _status(fault.abort.http_status)):
            yield Problem(fault.abort.at("http_status"), wrong)
        if fault.abort.grpc_status is not None and fault.abort.grpc_status not in _GRPC_STATUS:
            what = f'"{fault.abort.grpc_status}" is not a gRPC status'
            yield Problem(fault.abort.at("grpc_status"), what, "by name, such as UNAVAILABLE")


def _share(percentage: Percent | None) -> Iterator[Problem]:
    value = percentage.value if percentage else None
    if percentage and value is not None and not (value == 0 or 0.0001 <= value <= 100):
        yield Problem(percentage.at("value"), f"{value:g} is not a share: 0, or 0.0001 to 100 percent")


def _mirrors(route: HTTPRoute) -> Iterator[Problem]:
    if route.mirror:
        yield from destination_problems(route.mirror)
    for each in route.mirrors:
        yield from destination_problems(each.destination)
    if route.mirror_percent is not None and route.mirror_percent > 100:
        yield Problem(route.at("mirror_percent"), f"{route.mirror_percent} is more than 100 percent")
    for percentage in (route.mirror_percentage, *(each.percentage for each in route.mirrors)):
        if percentage and percentage.value is not None and not 0 <= percentage.value <= 100:
            yield Problem(percentage.at("value"), f"{percentage.value:g} is not a share: 0 to 100 percent")


def _cors(cors: CorsPolicy) -> Iterator[Problem]:
    for index, origin in enumerate(cors.allow_origins):
        if not (origin.exact or origin.prefix or origin.regex):
            yield Problem(cors.at("allow_origins", index), "this origin is empty", "set exact, prefix or regex")
        elif origin.regex and (wrong := wrong_regex(origin.regex)):
            yield Problem(origin.at("regex"), wrong)
    for index, method in enumerate(cors.allow_methods):
        if method not in _METHODS:
            yield Problem(cors.at("allow_methods", index), f'"{method}" is not an HTTP method')
    for field, names in (("allow_headers", cors.allow_headers), ("expose_headers", cors.expose_headers)):
        for index, name in enumerate(names):
            if name != "*" and (wrong := wrong_name(name)):
                yield Problem(cors.at(field, index), wrong)
    if cors.max_age is not None and cors.max_age % 1:
        yield Problem(cors.at("max_age"), "maxAge is in whole seconds")
