"""HTTPRoute: how requests for a host are matched, changed and sent to backends."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from localmesh.manifests.gateway_api.common import (
    BackendObjectReference,
    GatewayDuration,
    NamedMatch,
    ParentReference,
    RouteFilter,
    Weight,
)
from localmesh.manifests.record import Int32, Port, Range, Record, Resource

StatusCode = Annotated[int, Range(400, 599, "status to retry")]
Method = Literal["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPPathMatch(Record):
    """The path; a prefix is of whole segments: `/chat` holds `/chat/1` and not `/chats`."""

    type: Literal["Exact", "PathPrefix", "RegularExpression"] = "PathPrefix"
    value: str = "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPRouteMatch(Record):
    """One condition; all that is set must hold."""

    path: HTTPPathMatch = field(default_factory=HTTPPathMatch)
    headers: tuple[NamedMatch, ...] = ()
    query_params: tuple[NamedMatch, ...] = ()
    method: Method | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPPathModifier(Record):
    """A new path: the whole of it, or for the prefix that was matched."""

    type: Literal["ReplaceFullPath", "ReplacePrefixMatch"]
    replace_full_path: str | None = None
    replace_prefix_match: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class URLRewriteFilter(Record):
    """Change host name and path before forwarding."""

    hostname: str | None = None
    path: HTTPPathModifier | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRedirectFilter(Record):
    """Answer with a redirect. Without `port` it is the scheme's own, or without that too the one of the listener."""

    scheme: Literal["http", "https"] | None = None
    hostname: str | None = None
    path: HTTPPathModifier | None = None
    port: Port | None = None
    status_code: Int32 = 302


@dataclass(frozen=True, slots=True, kw_only=True)
class CORSFilter(Record):
    """Cross-origin rules; `max_age` is in seconds."""

    allow_origins: tuple[str, ...] = ()
    allow_credentials: bool = False
    allow_methods: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    max_age: Int32 = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPRouteFilter(RouteFilter):
    """One filter of a rule or of a backend."""

    type: Literal[
        "RequestHeaderModifier",
        "ResponseHeaderModifier",
        "RequestMirror",
        "RequestRedirect",
        "URLRewrite",
        "CORS",
        "ExtensionRef",
        "ExternalAuth",
    ]
    request_redirect: RequestRedirectFilter | None = None
    url_rewrite: URLRewriteFilter | None = None
    cors: CORSFilter | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPBackendRef(BackendObjectReference):
    """A backend with its share of the requests."""

    weight: Weight = 1
    filters: tuple[HTTPRouteFilter, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPRouteTimeouts(Record):
    """How long a request may take in all, and each of its tries."""

    request: GatewayDuration | None = None
    backend_request: GatewayDuration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPRouteRetry(Record):
    """When and how often a failed request is tried again; failed connections are, whatever the codes."""

    codes: tuple[StatusCode, ...] = ()
    attempts: Int32 | None = None
    backoff: GatewayDuration | None = None


def _everything() -> tuple[HTTPRouteMatch, ...]:
    return (HTTPRouteMatch(),)


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPRouteRule(Record):
    """Matches (any of them) and what then happens. A rule that names none matches every path."""

    name: str | None = None
    matches: tuple[HTTPRouteMatch, ...] = field(default_factory=_everything)
    filters: tuple[HTTPRouteFilter, ...] = ()
    backend_refs: tuple[HTTPBackendRef, ...] = ()
    timeouts: HTTPRouteTimeouts | None = None
    retry: HTTPRouteRetry | None = None


def _nothing() -> tuple[HTTPRouteRule, ...]:
    return (HTTPRouteRule(),)


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPRouteSpec(Record):
    """Parents, host names (none: those of the listener) and rules."""

    parent_refs: tuple[ParentReference, ...] = ()
    hostnames: tuple[str, ...] = ()
    rules: tuple[HTTPRouteRule, ...] = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPRoute(Resource):
    """An HTTPRoute document."""

    spec: HTTPRouteSpec
