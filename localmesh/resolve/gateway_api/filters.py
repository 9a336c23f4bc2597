"""Filters of HTTPRoute and GRPCRoute -> what a route of a VirtualService does with a request."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from localmesh.manifests.gateway_api.common import HeaderFilter, HTTPHeader, RouteFilter
from localmesh.manifests.gateway_api.http_route import (
    CORSFilter,
    HTTPRouteFilter,
    RequestRedirectFilter,
    URLRewriteFilter,
)
from localmesh.manifests.istio.common import StringMatch
from localmesh.manifests.istio.virtual_service import (
    CorsPolicy,
    HeaderOperations,
    Headers,
    HTTPMatchRequest,
    HTTPRedirect,
    HTTPRewrite,
    RegexRewrite,
)
from localmesh.resolve.answers import PREFIX

# What RE2 and Go quote in a literal.
_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")


def headers(filters: Iterable[RouteFilter]) -> Headers | None:
    """The header operations among the filters."""
    request = response = None
    for each in filters:
        request = _operations(each.request_header_modifier) or request
        response = _operations(each.response_header_modifier) or response
    return Headers(request=request, response=response) if request or response else None


def http_actions(filters: Iterable[HTTPRouteFilter], match: HTTPMatchRequest | None) -> Mapping[str, Any]:
    """Redirect, rewrite and CORS, as the fields of an Istio HTTPRoute."""
    found: dict[str, Any] = {}
    for each in filters:
        if each.request_redirect is not None:
            found["redirect"] = _redirect(each.request_redirect)
        if each.url_rewrite is not None:
            found["rewrite"] = _rewrite(each.url_rewrite, match)
        if each.cors is not None:
            found["cors_policy"] = _cors(each.cors)
    return found


def _operations(written: HeaderFilter | None) -> HeaderOperations | None:
    if written is None:
        return None
    return HeaderOperations(
        set=_by_name(written.set), add=_by_name(written.add), remove=written.remove, where=written.where
    )


def _by_name(written: Iterable[HTTPHeader]) -> dict[str, str]:
    """Names in lower case; of the same name the first counts, as the API says."""
    found: dict[str, str] = {}
    for each in written:
        found.setdefault(each.name.lower(), each.value)
    return found


def _redirect(written: RequestRedirectFilter) -> HTTPRedirect:
    uri = None
    if written.path is not None:
        full = written.path.replace_full_path
        uri = full if full is not None else f"{PREFIX}{written.path.replace_prefix_match}"
    return HTTPRedirect(
        uri=uri,
        authority=written.hostname,
        port=written.port,
        derive_port="FROM_REQUEST_PORT" if written.port is None and written.scheme is None else None,
        scheme=written.scheme,
        redirect_code=written.status_code,
        where=written.where,
    )


def _rewrite(written: URLRewriteFilter, match: HTTPMatchRequest | None) -> HTTPRewrite | None:
    uri, regex = None, None
    path = written.path
    if path is not None and path.replace_full_path is not None:
        regex = RegexRewrite(match="/.*", rewrite=path.replace_full_path, where=path.where)
    elif path is not None:
        uri = (path.replace_prefix_match or "").removesuffix("/") or "/"
        if uri == "/":  # the prefix goes, and what is left begins with one slash
            uri, regex = None, RegexRewrite(match=f"^{_quoted(match)}(/?)(.*)", rewrite=r"/\2", where=path.where)
    if uri is None and regex is None and not written.hostname:
        return None
    return HTTPRewrite(uri=uri, authority=written.hostname, uri_regex_rewrite=regex, where=written.where)


def _quoted(match: HTTPMatchRequest | None) -> str:
    prefix = match.uri.prefix if match is not None and match.uri is not None else None
    return _SPECIAL.sub(r"\\\g<0>", prefix) if prefix and prefix != "/" else ""


def _cors(written: CORSFilter) -> CorsPolicy:
    return CorsPolicy(
        allow_origins=tuple(StringMatch(exact=each, where=written.where) for each in written.allow_origins),
        allow_methods=written.allow_methods,
        allow_headers=written.allow_headers,
        expose_headers=written.expose_headers,
        max_age=float(written.max_age),
        allow_credentials=True if written.allow_credentials else None,
        where=written.where,
    )
