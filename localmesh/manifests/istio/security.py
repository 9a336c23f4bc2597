"""PeerAuthentication, AuthorizationPolicy, RequestAuthentication (security.istio.io)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from localmesh.manifests.istio.common import Attached, LabelSelector
from localmesh.manifests.record import Record, Resource, Timeout, UInt32, also_named

MutualTLSMode = Literal["UNSET", "DISABLE", "PERMISSIVE", "STRICT"]
Action = Literal["ALLOW", "DENY", "AUDIT", "CUSTOM"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MutualTLS(Record):
    """Whether a workload asks for mTLS; UNSET and absent inherit."""

    mode: MutualTLSMode | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerAuthenticationSpec(Record):
    """The mode of a mesh, namespace or workload; `port_level_mtls` is keyed by the workload's port."""

    selector: LabelSelector | None = None
    mtls: MutualTLS | None = None
    port_level_mtls: Mapping[UInt32, MutualTLS] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerAuthentication(Resource):
    """A PeerAuthentication document."""

    spec: PeerAuthenticationSpec = field(default_factory=PeerAuthenticationSpec)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source(Record):
    """Who calls. Values of one field are alternatives; all fields that are set must hold."""

    principals: tuple[str, ...] = ()
    not_principals: tuple[str, ...] = ()
    request_principals: tuple[str, ...] = ()
    not_request_principals: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    not_namespaces: tuple[str, ...] = ()
    service_accounts: tuple[str, ...] = ()
    not_service_accounts: tuple[str, ...] = ()
    ip_blocks: tuple[str, ...] = ()
    not_ip_blocks: tuple[str, ...] = ()
    remote_ip_blocks: tuple[str, ...] = ()
    not_remote_ip_blocks: tuple[str, ...] = ()
    trust_domains: tuple[str, ...] = ()
    not_trust_domains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Record):
    """What is called. For gRPC the path is `/package.Service/Method` and the method is POST."""

    hosts: tuple[str, ...] = ()
    not_hosts: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    not_ports: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    not_methods: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    not_paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition(Record):
    """A further attribute, such as `request.headers[x-room]`."""

    key: str
    values: tuple[str, ...] = ()
    not_values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class From(Record):
    """Wraps a source."""

    source: Source | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class To(Record):
    """Wraps an operation."""

    operation: Operation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(Record):
    """Any source, any operation, all conditions. An empty rule matches everything."""

    from_: tuple[From, ...] = ()
    to: tuple[To, ...] = ()
    when: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionProviderRef(Record):
    """The MeshConfig extension provider that decides a CUSTOM action."""

    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationPolicySpec(Attached):
    """An absent action is ALLOW; ALLOW without rules denies all."""

    rules: tuple[Rule, ...] = ()
    action: Action | None = None
    provider: ExtensionProviderRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationPolicy(Resource):
    """An AuthorizationPolicy document. The annotation `istio.io/dry-run` makes it a shadow policy."""

    spec: AuthorizationPolicySpec = field(default_factory=AuthorizationPolicySpec)


@dataclass(frozen=True, slots=True, kw_only=True)
class JWTHeader(Record):
    """A header that carries a token, after `prefix`."""

    name: str
    prefix: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimToHeader(Record):
    """A claim copied to a header after verification."""

    header: str
    claim: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JWTRule(Record):
    """Tokens of one issuer. At most one of `jwks` and `jwks_uri`."""

    AT_MOST_ONE: ClassVar[tuple[tuple[str, ...], ...]] = (("jwks", "jwks_uri"),)

    issuer: str | None = None
    audiences: tuple[str, ...] = ()
    jwks_uri: str | None = also_named("jwks_uri")
    jwks: str | None = None
    from_headers: tuple[JWTHeader, ...] = ()
    from_params: tuple[str, ...] = ()
    output_payload_to_header: str | None = None
    from_cookies: tuple[str, ...] = ()
    forward_original_token: bool = False
    output_claim_to_headers: tuple[ClaimToHeader, ...] = ()
    timeout: Timeout | None = None
    space_delimited_claims: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestAuthenticationSpec(Attached):
    """Which tokens are verified. A request without a token passes; one with a bad token is refused."""

    jwt_rules: tuple[JWTRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestAuthentication(Resource):
    """A RequestAuthentication document."""

    spec: RequestAuthenticationSpec = field(default_factory=RequestAuthenticationSpec)
