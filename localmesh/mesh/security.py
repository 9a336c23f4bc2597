"""Who may do what: mTLS modes, tokens, and rules."""

from dataclasses import dataclass
from enum import Enum

from localmesh.errors import Where
from localmesh.mesh.identity import Seconds


class Mtls(Enum):
    """What a server's sidecar takes."""

    STRICT = "strict"
    PERMISSIVE = "permissive"
    DISABLE = "disable"


class Paths(Enum):
    """How far a request's path is normalised before any rule or route sees it: each takes in the one before."""

    NONE = "none"
    BASE = "base"  # RFC 3986: dot segments, percent-encoded letters, backslashes
    MERGE_SLASHES = "merge-slashes"
    DECODE_AND_MERGE_SLASHES = "decode-and-merge-slashes"


@dataclass(frozen=True, slots=True)
class Edge:
    """What stands before the gateways: proxies whose x-forwarded-for is believed, and what becomes of its XFCC."""

    trusted_proxies: int = 0
    client_certificates: str = ""  # Envoy's ForwardClientCertDetails by name; "": SANITIZE_SET


class Action(Enum):
    """What a policy does with a request that one of its rules matches. Evaluated in this order."""

    CUSTOM = "custom"
    AUDIT = "audit"
    DENY = "deny"
    ALLOW = "allow"


@dataclass(frozen=True, slots=True)
class Source:
    """One `from` entry: all that is set must hold; inside a list one must. Values may begin or end with `*`."""

    principals: tuple[str, ...] = ()
    not_principals: tuple[str, ...] = ()
    request_principals: tuple[str, ...] = ()
    not_request_principals: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    not_namespaces: tuple[str, ...] = ()
    service_accounts: tuple[str, ...] = ()  # as written: `name`, or `namespace/name`
    not_service_accounts: tuple[str, ...] = ()
    ip_blocks: tuple[str, ...] = ()
    not_ip_blocks: tuple[str, ...] = ()
    remote_ip_blocks: tuple[str, ...] = ()
    not_remote_ip_blocks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """One `to` entry: all that is set must hold; inside a list one must."""

    hosts: tuple[str, ...] = ()
    not_hosts: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    not_ports: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    not_methods: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    not_paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Condition:
    """One `when` entry, such as `request.headers[x-user]`."""

    key: str
    values: tuple[str, ...] = ()
    not_values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """Matches if one source, one operation and all conditions match; an empty list matches everything."""

    sources: tuple[Source, ...] = ()
    operations: tuple[Operation, ...] = ()
    conditions: tuple[Condition, ...] = ()
    where: Where | None = None


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """An AuthorizationPolicy that applies to this pod. Without rules it matches nothing: an ALLOW then denies all."""

    name: str
    namespace: str
    action: Action
    rules: tuple[Rule, ...]
    dry_run: bool = False
    provider: str = ""  # of CUSTOM
    where: Where | None = None


@dataclass(frozen=True, slots=True)
class JwtHeader:
    """Where a token may stand: after `prefix` in this header."""

    name: str
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class JwtRule:
    """One issuer whose tokens are verified. A request without a token passes; one with a bad token does not."""

    issuer: str
    jwks: str  # the key set itself; "" where it could not be had: then every token of this issuer fails
    audiences: tuple[str, ...] = ()
    from_headers: tuple[JwtHeader, ...] = ()
    from_params: tuple[str, ...] = ()
    from_cookies: tuple[str, ...] = ()
    forward: bool = False
    payload_header: str = ""
    claim_headers: tuple[tuple[str, str], ...] = ()  # (header, claim)
    space_delimited_claims: tuple[str, ...] = ()
    timeout: Seconds | None = None
    jwks_uri: str = ""
    where: Where | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """How much of a request's body an authorizer is shown."""

    most_bytes: int
    partial: bool = False  # whether a longer body is cut instead of refused
    as_bytes: bool = False


@dataclass(frozen=True, slots=True)
class HttpCheck:
    """What passes between a proxy and an authorizer that speaks HTTP. Header names may begin or end with `*`."""

    path_prefix: str = ""
    request_headers: tuple[str, ...] = ()  # of the request, shown to the authorizer
    added_headers: tuple[tuple[str, str], ...] = ()
    upstream_headers: tuple[str, ...] = ()  # of its answer, passed on with an allowed request
    denied_headers: tuple[str, ...] = ()  # of its answer, given back with a refusal
    allowed_headers: tuple[str, ...] = ()  # of its answer, given back with the response


@dataclass(frozen=True, slots=True)
class Authorizer:
    """A service that CUSTOM policies ask. `http` None: it speaks gRPC (Envoy's ext_authz API)."""

    name: str
    host: str
    port: int
    http: HttpCheck | None = None
    timeout: Seconds | None = None
    fail_open: bool = False  # whether requests pass while it cannot be asked
    clear_route_cache: bool = False
    status_on_error: int | None = None
    body: Body | None = None
    where: Where | None = None
