"""Where a request goes, and what is done to it on the way. Routes are tried in order; the first match acts."""

from dataclasses import dataclass, field
from enum import Enum

from localmesh.errors import Where
from localmesh.mesh.identity import Labels, Seconds
from localmesh.mesh.upstreams import HashOn


class Text(Enum):
    """How a text is compared. PRESENT: it is there, whatever it says."""

    EXACT = "exact"
    PREFIX = "prefix"
    SEGMENTS = "segments"  # of a path: `/chat` is in front of `/chat/1` and not of `/chats`
    REGEX = "regex"
    PRESENT = "present"


@dataclass(frozen=True, slots=True)
class TextMatch:
    """One comparison."""

    how: Text
    value: str = ""


@dataclass(frozen=True, slots=True)
class RequestMatch:
    """All that is set must hold."""

    path: TextMatch | None = None
    path_ignore_case: bool = False
    method: TextMatch | None = None
    authority: TextMatch | None = None
    scheme: TextMatch | None = None
    headers: tuple[tuple[str, TextMatch], ...] = ()
    without_headers: tuple[tuple[str, TextMatch], ...] = ()
    query: tuple[tuple[str, TextMatch], ...] = ()
    # Headers with this name stand for claims of a verified token: ("realm", "roles") -> match.
    claims: tuple[tuple[tuple[str, ...], TextMatch], ...] = ()
    without_claims: tuple[tuple[tuple[str, ...], TextMatch], ...] = ()
    stat_prefix: str = ""

    @property
    def is_catch_all(self) -> bool:
        """Nothing passes it by."""
        anything = self.path is None or (self.path.how is Text.PREFIX and self.path.value == "/")
        anything = anything or (self.path is not None and self.path.how is Text.REGEX and self.path.value == ".*")
        rest = (self.method, self.authority, self.scheme)
        many = (self.headers, self.without_headers, self.query, self.claims, self.without_claims)
        return anything and not any(rest) and not any(many)


@dataclass(frozen=True, slots=True)
class HeaderOps:
    """Changes of headers, in Istio's order: set, then add, then remove."""

    set: tuple[tuple[str, str], ...] = ()
    add: tuple[tuple[str, str], ...] = ()
    remove: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """One cluster: a service's host, port and subset. A host that is no service still has a cluster name.

    Without a host it is a target that must not be called (a backend that the Gateway API does not grant).
    """

    host: str
    port: int
    subset: str = ""


@dataclass(frozen=True, slots=True)
class WeightedTarget:
    """A target and its share. Shares are emitted as written; targets of weight 0 are left out."""

    target: Target
    weight: int = 0
    request_headers: HeaderOps = HeaderOps()
    response_headers: HeaderOps = HeaderOps()


@dataclass(frozen=True, slots=True)
class Retry:
    """When a failed call is tried again. `attempts` 0: never. Istio: HTTPRetry; Envoy: x-envoy-retry-on values."""

    attempts: int
    on: tuple[str, ...]
    status_codes: tuple[int, ...] = ()
    per_try_timeout: Seconds | None = None
    backoff: Seconds | None = None
    # True: a retry may cross to another locality's priority. None: as Istio's default.
    remote_localities: bool | None = None
    # Whether an endpoint already tried is avoided.
    ignore_previous_hosts: bool = True


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A new path and authority."""

    path: str | None = None  # replaces the matched prefix, or the whole of an exact or regex match
    authority: str | None = None
    regex: str | None = None
    regex_substitution: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """Failures on purpose. A percentage of None never fires (Istio's own rule)."""

    delay: Seconds | None = None
    delay_percent: float | None = None
    delay_percent_is_whole: bool = False  # the deprecated field `percent`: per hundred, not per million
    abort_http: int | None = None
    abort_grpc: str | None = None  # a gRPC code by name
    abort_percent: float | None = None


@dataclass(frozen=True, slots=True)
class Mirror:
    """A copy of this share of the requests goes here; its answer is thrown away."""

    target: Target
    percent: float = 100.0
    percent_is_whole: bool = True  # nothing is written, or a whole number: per hundred, not per million


@dataclass(frozen=True, slots=True)
class Cors:
    """A corsPolicy."""

    allow_origins: tuple[TextMatch, ...] = ()
    allow_methods: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    max_age: Seconds | None = None
    allow_credentials: bool | None = None
    unmatched_preflights: str = ""  # "", "FORWARD" or "IGNORE"


@dataclass(frozen=True, slots=True)
class Forward:
    """Send the request on."""

    targets: tuple[WeightedTarget, ...]
    # None: no limit.
    timeout: Seconds | None = None
    retry: Retry | None = None
    rewrite: Rewrite | None = None
    mirrors: tuple[Mirror, ...] = ()
    hash_on: HashOn | None = None
    # A target that is no service answers 500 (the Gateway API's rule), not 503.
    unknown_is_500: bool = False


@dataclass(frozen=True, slots=True)
class Redirect:
    """Answer with a redirect."""

    path: str | None = None
    path_prefix: str | None = None  # %PREFIX()% rewriting
    authority: str | None = None
    port: int | None = None
    derive_port: str = ""  # "", "FROM_PROTOCOL_DEFAULT" or "FROM_REQUEST_PORT"
    scheme: str = ""
    code: int = 301


@dataclass(frozen=True, slots=True)
class Respond:
    """Answer at once."""

    status: int
    body: str | bytes | None = None


@dataclass(frozen=True, slots=True)
class HttpRoute:
    """One route: whom it catches, and what happens then."""

    name: str
    action: Forward | Redirect | Respond
    match: RequestMatch = RequestMatch()
    fault: Fault | None = None
    cors: Cors | None = None
    request_headers: HeaderOps = HeaderOps()
    response_headers: HeaderOps = HeaderOps()
    # Where the route stands in YAML; None for the default route of a service.
    where: Where | None = None
    # "name.namespace" of its VirtualService, as Istio puts it into metadata.
    config: str = ""


@dataclass(frozen=True, slots=True)
class VirtualHost:
    """The routes of one name, for one port."""

    name: str  # `user.mesh.svc.cluster.local:50051`
    domains: tuple[str, ...]  # as Envoy matches the authority: exact names, `*.suffix`, or `*`
    routes: tuple[HttpRoute, ...]
    require_tls: bool = False
    # The host and port that this stands for; port 0 for a gateway's host of any port.
    host: str = ""
    port: int = 0


@dataclass(frozen=True, slots=True)
class RouteTable:
    """All virtual hosts behind one HTTP listener."""

    name: str  # `50051` at a sidecar, `http.8080` at a gateway
    virtual_hosts: tuple[VirtualHost, ...]


@dataclass(frozen=True, slots=True)
class ConnectionRoute:
    """Where a connection goes: a tcp or tls route. All matches that are set must hold."""

    targets: tuple[WeightedTarget, ...]
    sni: tuple[str, ...] = ()
    destination_subnets: tuple[str, ...] = ()
    source_labels: Labels = field(default_factory=dict)
    where: Where | None = None
