"""VirtualService: how requests for a host are matched, changed and routed (networking.istio.io)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from localmesh.manifests.istio.common import Destination, Percent, StringMatch
from localmesh.manifests.record import Int32, Interval, Record, Resource, Timeout, UInt32, also_named, empty_map


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPMatchRequest(Record):
    """One condition of an HTTP route; all that is set must hold. `headers: {name: {}}` asks for presence."""

    name: str | None = None
    uri: StringMatch | None = None
    scheme: StringMatch | None = None
    method: StringMatch | None = None
    authority: StringMatch | None = None
    headers: Mapping[str, StringMatch] = empty_map()
    port: UInt32 | None = None
    source_labels: Mapping[str, str] = empty_map()
    gateways: tuple[str, ...] = ()
    query_params: Mapping[str, StringMatch] = empty_map()
    ignore_uri_case: bool = False
    without_headers: Mapping[str, StringMatch] = empty_map()
    source_namespace: str | None = None
    stat_prefix: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderOperations(Record):
    """Headers to overwrite, to append to and to remove, in that order."""

    set: Mapping[str, str] = empty_map()
    add: Mapping[str, str] = empty_map()
    remove: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Headers(Record):
    """Header operations on the way in and on the way back."""

    request: HeaderOperations | None = None
    response: HeaderOperations | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPRouteDestination(Record):
    """A destination of an HTTP route with its weight. One alone takes all, whatever its weight."""

    destination: Destination
    weight: Int32 | None = None
    headers: Headers | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPRedirect(Record):
    """Answer with a redirect. At most one of `port` and `derive_port`."""

    AT_MOST_ONE: ClassVar[tuple[tuple[str, ...], ...]] = (("port", "derive_port"),)

    uri: str | None = None
    authority: str | None = None
    port: UInt32 | None = None
    derive_port: Literal["FROM_PROTOCOL_DEFAULT", "FROM_REQUEST_PORT"] | None = None
    scheme: str | None = None
    redirect_code: UInt32 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPBody(Record):
    """A fixed body: text, or bytes written in base64."""

    AT_MOST_ONE: ClassVar[tuple[tuple[str, ...], ...]] = (("string", "bytes_"),)

    string: str | None = None
    bytes_: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPDirectResponse(Record):
    """Answer without asking anyone."""

    status: UInt32
    body: HTTPBody | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegate(Record):
    """Another VirtualService that holds the routes below this match."""

    name: str | None = None
    namespace: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegexRewrite(Record):
    """Replace what `match` (RE2) finds in the path."""

    match: str | None = None
    rewrite: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPRewrite(Record):
    """Change path or authority before forwarding. At most one of `uri` and `uri_regex_rewrite`."""

    uri: str | None = None
    authority: str | None = None
    uri_regex_rewrite: RegexRewrite | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPRetry(Record):
    """When and how often a failed request is tried again; `retry_on` is a comma-separated list."""

    attempts: Int32 | None = None
    per_try_timeout: Timeout | None = None
    retry_on: str | None = None
    retry_remote_localities: bool | None = None
    retry_ignore_previous_hosts: bool | None = None
    backoff: Interval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay(Record):
    """Hold requests back. `percent` is the older spelling of `percentage`."""

    AT_MOST_ONE: ClassVar[tuple[tuple[str, ...], ...]] = (("fixed_delay", "exponential_delay"),)

    percent: Int32 | None = None
    fixed_delay: Timeout | None = None
    exponential_delay: Timeout | None = None
    percentage: Percent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Abort(Record):
    """Fail requests. Exactly one of the three statuses."""

    AT_MOST_ONE: ClassVar[tuple[tuple[str, ...], ...]] = (("http_status", "grpc_status", "http2_error"),)

    http_status: Int32 | None = None
    grpc_status: str | None = None
    http2_error: str | None = None
    percentage: Percent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPFaultInjection(Record):
    """Faults put in on purpose."""

    delay: Delay | None = None
    abort: Abort | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPMirrorPolicy(Record):
    """Where a copy of the request goes, and how often."""

    destination: Destination
    percentage: Percent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CorsPolicy(Record):
    """Cross-origin rules. `allow_origin` is the older, exact spelling of `allow_origins`."""

    allow_origin: tuple[str, ...] = ()
    allow_origins: tuple[StringMatch, ...] = ()
    allow_methods: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    max_age: Timeout | None = None
    allow_credentials: bool | None = None
    unmatched_preflights: Literal["UNSPECIFIED", "FORWARD", "IGNORE"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPRoute(Record):
    """Matches (any of them) and what then happens: routes, a redirect, a direct response or a delegate."""

    name: str | None = None
    match: tuple[HTTPMatchRequest, ...] = ()
    route: tuple[HTTPRouteDestination, ...] = ()
    redirect: HTTPRedirect | None = None
    direct_response: HTTPDirectResponse | None = None
    delegate: Delegate | None = None
    rewrite: HTTPRewrite | None = None
    timeout: Timeout | None = None
    retries: HTTPRetry | None = None
    fault: HTTPFaultInjection | None = None
    mirror: Destination | None = None
    mirrors: tuple[HTTPMirrorPolicy, ...] = ()
    mirror_percent: UInt32 | None = also_named("mirror_percent")
    mirror_percentage: Percent | None = None
    cors_policy: CorsPolicy | None = None
    headers: Headers | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteDestination(Record):
    """A destination of a TCP or TLS route with its weight."""

    destination: Destination
    weight: Int32 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class L4MatchAttributes(Record):
    """One condition of a TCP route."""

    destination_subnets: tuple[str, ...] = ()
    port: UInt32 | None = None
    source_subnet: str | None = None
    source_labels: Mapping[str, str] = empty_map()
    gateways: tuple[str, ...] = ()
    source_namespace: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSMatchAttributes(Record):
    """One condition of a TLS route: the server name in the client's hello."""

    sni_hosts: tuple[str, ...]
    destination_subnets: tuple[str, ...] = ()
    port: UInt32 | None = None
    source_labels: Mapping[str, str] = empty_map()
    gateways: tuple[str, ...] = ()
    source_namespace: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TCPRoute(Record):
    """Opaque connections to weighted destinations."""

    match: tuple[L4MatchAttributes, ...] = ()
    route: tuple[RouteDestination, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSRoute(Record):
    """TLS connections passed through, by server name."""

    match: tuple[TLSMatchAttributes, ...]
    route: tuple[RouteDestination, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualServiceSpec(Record):
    """Hosts, the gateways it is bound to (none named means `mesh`), and the routes in order."""

    hosts: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    http: tuple[HTTPRoute, ...] = ()
    tls: tuple[TLSRoute, ...] = ()
    tcp: tuple[TCPRoute, ...] = ()
    export_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualService(Resource):
    """A VirtualService document."""

    spec: VirtualServiceSpec
