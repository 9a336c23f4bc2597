"""One rule of an AuthorizationPolicy as an RBAC policy: permissions (`to`, `when`) and principals (`from`, `when`).

Follows istiod's pilot/pkg/security/authz/model, as its output shows: every `from` entry becomes one principal, every
`to` entry one permission, and each `when` joins all of them on the side that it speaks of. On TCP what speaks of
requests cannot be known: an ALLOW rule with it disappears, other actions lose only that part and become broader.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from envoy.config.core.v3 import extension_pb2
from envoy.config.rbac.v3 import rbac_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.path.match.uri_template.v3 import uri_template_match_pb2
from envoy.type.matcher.v3 import metadata_pb2, path_pb2, string_pb2, value_pb2
from google.protobuf.message import Message

from localmesh.mesh.security import Condition, Operation, Rule, Source
from localmesh.xds.wire import cidr, pack, regex

JWT_METADATA = "envoy.filters.http.jwt_authn"
_EXPERIMENTAL = "experimental."


class NotOnTcp(Exception):
    """The rule speaks of requests, and connections carry none that we can see."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a rule is read in: whose identities count as ours, the policy's namespace, and what can be seen."""

    trust_domains: tuple[str, ...]
    namespace: str
    tcp: bool
    # Leave out what cannot be seen on TCP, instead of raising NotOnTcp.
    lenient: bool


# A permission or a principal; Envoy's protobufs have no types to say which.
Term = Message
# Makes the terms of a list of values: alternatives, to be joined by `or`, and whether one stands without an `or`.
Maker = Callable[[str, tuple[str, ...], Context], list[Term]]


@dataclass(frozen=True, slots=True)
class Kind:
    """How values of one field are written, on which side, and whether TCP can tell."""

    make: Maker
    principal: bool
    on_tcp: bool
    # True: a single alternative stands alone; False: always inside an `or`.
    bare: bool = False


def policy(rule: Rule, context: Context) -> rbac_pb2.Policy:
    """The RBAC policy of one rule. Raises NotOnTcp."""
    conditions = [(_kind(condition.key), condition) for condition in rule.conditions]
    shared_permissions = _conditions(conditions, False, context)
    shared_principals = _conditions(conditions, True, context)
    permissions = [_operation(operation, context) + shared_permissions for operation in rule.operations]
    principals = [_source(source, context) + shared_principals for source in rule.sources]
    return rbac_pb2.Policy(
        permissions=[_all_permissions(terms) for terms in permissions or [shared_permissions]],
        principals=[_all_principals(terms) for terms in principals or [shared_principals]],
    )


def never() -> rbac_pb2.Policy:
    """A policy that matches nothing: what a policy without rules means."""
    return rbac_pb2.Policy(
        permissions=[rbac_pb2.Permission(not_rule=rbac_pb2.Permission(any=True))],
        principals=[rbac_pb2.Principal(not_id=rbac_pb2.Principal(any=True))],
    )


def _source(source: Source, context: Context) -> list[Term]:
    fields = (
        (_PRINCIPAL, source.principals, source.not_principals),
        (_REQUEST_PRINCIPAL, source.request_principals, source.not_request_principals),
        (_SERVICE_ACCOUNT, source.service_accounts, source.not_service_accounts),
        (_NAMESPACE, source.namespaces, source.not_namespaces),
        (_REMOTE_IP, source.remote_ip_blocks, source.not_remote_ip_blocks),
        (_SOURCE_IP, source.ip_blocks, source.not_ip_blocks),
    )
    return [term for kind, yes, no in fields for term in _both(kind, "", yes, no, context)]


def _operation(operation: Operation, context: Context) -> list[Term]:
    fields = (
        (_HOST, operation.hosts, operation.not_hosts),
        (_METHOD, operation.methods, operation.not_methods),
        (_PATH, operation.paths, operation.not_paths),
        (_PORT, operation.ports, operation.not_ports),
    )
    return [term for kind, yes, no in fields for term in _both(kind, "", yes, no, context)]


def _conditions(conditions: list[tuple[Kind, Condition]], principal: bool, context: Context) -> list[Term]:
    return [
        term
        for kind, condition in conditions
        if kind.principal is principal
        for term in _both(kind, condition.key, condition.values, condition.not_values, context)
    ]


def _both(kind: Kind, key: str, yes: tuple[str, ...], no: tuple[str, ...], context: Context) -> list[Term]:
    """One of `yes`, and none of `no`."""
    if (yes or no) and context.tcp and not kind.on_tcp:
        if context.lenient:
            return []
        raise NotOnTcp
    terms = []
    if yes:
        terms.append(_any_of(kind, kind.make(key, yes, context)))
    if no:
        excluded = _any_of(kind, kind.make(key, no, context))
        terms.append(rbac_pb2.Principal(not_id=excluded) if kind.principal else rbac_pb2.Permission(not_rule=excluded))
    return terms


def _any_of(kind: Kind, terms: list[Term]) -> Term:
    if kind.bare and len(terms) == 1:
        return terms[0]
    joined: Term
    if kind.principal:
        joined = rbac_pb2.Principal(or_ids=rbac_pb2.Principal.Set(ids=terms))
    else:
        joined = rbac_pb2.Permission(or_rules=rbac_pb2.Permission.Set(rules=terms))
    return joined


def _all_permissions(terms: list[Term]) -> rbac_pb2.Permission:
    terms = terms or [rbac_pb2.Permission(any=True)]
    return rbac_pb2.Permission(and_rules=rbac_pb2.Permission.Set(rules=terms))


def _all_principals(terms: list[Term]) -> rbac_pb2.Principal:
    terms = terms or [rbac_pb2.Principal(any=True)]
    return rbac_pb2.Principal(and_ids=rbac_pb2.Principal.Set(ids=terms))


# --- how values are compared -------------------------------------------------------------------------------------


def text(value: str, ignore_case: bool = False) -> string_pb2.StringMatcher:
    """`*` anything but nothing, `*x` an ending, `x*` a beginning, else the value itself."""
    if value == "*":
        return string_pb2.StringMatcher(safe_regex=regex(".+"))
    if value.startswith("*"):
        return string_pb2.StringMatcher(suffix=value[1:], ignore_case=ignore_case)
    if value.endswith("*"):
        return string_pb2.StringMatcher(prefix=value[:-1], ignore_case=ignore_case)
    return string_pb2.StringMatcher(exact=value, ignore_case=ignore_case)


def quote(value: str) -> str:
    """The value as an RE2 pattern for itself, written as Go's regexp.QuoteMeta writes it."""
    return "".join("\\" + char if char in r"\.+*?()|[]{}^$" else char for char in value)


def _header(name: str, value: str, ignore_case: bool = False) -> route_components_pb2.HeaderMatcher:
    if value == "*":
        return route_components_pb2.HeaderMatcher(name=name, present_match=True)
    return route_components_pb2.HeaderMatcher(name=name, string_match=text(value, ignore_case))


def _authenticated(match: string_pb2.StringMatcher) -> rbac_pb2.Principal:
    return rbac_pb2.Principal(authenticated=rbac_pb2.Principal.Authenticated(principal_name=match))


def _authenticated_regex(pattern: str) -> rbac_pb2.Principal:
    return _authenticated(string_pb2.StringMatcher(safe_regex=regex(pattern)))


def _principals(_key: str, values: tuple[str, ...], context: Context) -> list[Term]:
    return [_principal(one) for value in values for one in _in_trust_domains(value, context.trust_domains)]


def _in_trust_domains(principal: str, trust_domains: tuple[str, ...]) -> Iterable[str]:
    """The principal in every trust domain that is as good as the one it names."""
    domain, slash, rest = principal.partition("/")
    if slash and domain in trust_domains:
        return [f"{one}/{rest}" for one in trust_domains]
    return [principal]


def _principal(value: str) -> rbac_pb2.Principal:
    if value == "*":
        return _authenticated_regex(".+")
    if value.startswith("*"):
        return _authenticated_regex("spiffe://.*" + quote(value[1:]))
    return _authenticated(text("spiffe://" + value))


def _namespaces(_key: str, values: tuple[str, ...], _context: Context) -> list[Term]:
    return [_authenticated_regex(f".*/ns/{quote(value).replace(chr(92) + '*', '.*')}/.*") for value in values]


def _service_accounts(_key: str, values: tuple[str, ...], context: Context) -> list[Term]:
    terms: list[Term] = []
    for value in values:
        namespace, slash, name = value.rpartition("/")
        where = quote(namespace if slash else context.namespace)
        terms.append(_authenticated_regex(f"spiffe://.+/ns/{where}/(.+/|)sa/{quote(name)}(/.+)?"))
    return terms


def _source_ips(_key: str, values: tuple[str, ...], _context: Context) -> list[Term]:
    return [rbac_pb2.Principal(direct_remote_ip=cidr(value)) for value in values]


def _remote_ips(_key: str, values: tuple[str, ...], _context: Context) -> list[Term]:
    return [rbac_pb2.Principal(remote_ip=cidr(value)) for value in values]


def _request_headers(key: str, values: tuple[str, ...], _context: Context) -> list[Term]:
    return [rbac_pb2.Principal(header=_header(_brackets(key)[0], value)) for value in values]


def _request_principals(_key: str, values: tuple[str, ...], _context: Context) -> list[Term]:
    """`issuer/subject`: the issuer ends at the last slash."""
    terms: list[Term] = []
    for value in values:
        issuer, _, subject = value.rpartition("/")
        pair = ("*", "*") if value == "*" else (issuer, subject)
        ids = [
            rbac_pb2.Principal(metadata=_claim((name,), value_pb2.ValueMatcher(string_match=text(part))))
            for name, part in zip(("iss", "sub"), pair, strict=True)
        ]
        terms.append(rbac_pb2.Principal(and_ids=rbac_pb2.Principal.Set(ids=ids)))
    return terms


def _claims(*path: str) -> Maker:
    """A claim equals one of the values, or is a list that holds one of them."""

    def make(key: str, values: tuple[str, ...], _context: Context) -> list[Term]:
        texts = [value_pb2.ValueMatcher(string_match=text(value)) for value in values]
        one = texts[0]
        if len(texts) > 1:
            one = value_pb2.ValueMatcher(or_match=value_pb2.OrMatcher(value_matchers=texts))
        listed = value_pb2.ValueMatcher(list_match=value_pb2.ListMatcher(one_of=one))
        either = value_pb2.ValueMatcher(or_match=value_pb2.OrMatcher(value_matchers=[listed, one]))
        return [rbac_pb2.Principal(metadata=_claim(path or _brackets(key), either))]

    return make


def _claim(path: tuple[str, ...], value: value_pb2.ValueMatcher) -> metadata_pb2.MetadataMatcher:
    segments = [metadata_pb2.MetadataMatcher.PathSegment(key=key) for key in ("payload", *path)]
    return metadata_pb2.MetadataMatcher(filter=JWT_METADATA, path=segments, value=value)


def _brackets(key: str) -> tuple[str, ...]:
    """`request.auth.claims[realm][roles]` -> ("realm", "roles")."""
    return tuple(part.rstrip("]") for part in key.split("[")[1:])


def _hosts(_key: str, values: tuple[str, ...], _context: Context) -> list[Term]:
    return [rbac_pb2.Permission(header=_header(":authority", value, ignore_case=True)) for value in values]


def _methods(_key: str, values: tuple[str, ...], _context: Context) -> list[Term]:
    return [rbac_pb2.Permission(header=_header(":method", value)) for value in values]


def _paths(_key: str, values: tuple[str, ...], _context: Context) -> list[Term]:
    return [_path(value) for value in values]


def _path(value: str) -> rbac_pb2.Permission:
    if "{*}" in value or "{**}" in value:
        template = value.replace("{*}", "*").replace("{**}", "**")
        config = uri_template_match_pb2.UriTemplateMatchConfig(path_template=template)
        return rbac_pb2.Permission(
            uri_template=extension_pb2.TypedExtensionConfig(name="uri-template", typed_config=pack(config))
        )
    return rbac_pb2.Permission(url_path=path_pb2.PathMatcher(path=text(value)))


def _ports(_key: str, values: tuple[str, ...], _context: Context) -> list[Term]:
    return [rbac_pb2.Permission(destination_port=int(value)) for value in values]


def _destination_ips(_key: str, values: tuple[str, ...], _context: Context) -> list[Term]:
    return [rbac_pb2.Permission(destination_ip=cidr(value)) for value in values]


def _server_names(_key: str, values: tuple[str, ...], _context: Context) -> list[Term]:
    return [rbac_pb2.Permission(requested_server_name=text(value)) for value in values]


def _filter_metadata(key: str, values: tuple[str, ...], _context: Context) -> list[Term]:
    """`experimental.envoy.filters.<filter>[key]`; a value in brackets is looked for in a list."""
    name = key.removeprefix(_EXPERIMENTAL).partition("[")[0]
    path = [metadata_pb2.MetadataMatcher.PathSegment(key=part) for part in _brackets(key)]
    terms: list[Term] = []
    for value in values:
        listed = value.startswith("[") and value.endswith("]")
        match = value_pb2.ValueMatcher(string_match=text(value.strip("[]") if listed else value))
        if listed:
            match = value_pb2.ValueMatcher(list_match=value_pb2.ListMatcher(one_of=match))
        terms.append(rbac_pb2.Permission(metadata=metadata_pb2.MetadataMatcher(filter=name, path=path, value=match)))
    return terms


_PRINCIPAL = Kind(_principals, principal=True, on_tcp=True)
_NAMESPACE = Kind(_namespaces, principal=True, on_tcp=True)
_SERVICE_ACCOUNT = Kind(_service_accounts, principal=True, on_tcp=True)
_SOURCE_IP = Kind(_source_ips, principal=True, on_tcp=True)
_REMOTE_IP = Kind(_remote_ips, principal=True, on_tcp=True)
_REQUEST_PRINCIPAL = Kind(_request_principals, principal=True, on_tcp=False, bare=True)
_REQUEST_HEADER = Kind(_request_headers, principal=True, on_tcp=False)
_HOST = Kind(_hosts, principal=False, on_tcp=False)
_METHOD = Kind(_methods, principal=False, on_tcp=False)
_PATH = Kind(_paths, principal=False, on_tcp=False)
_PORT = Kind(_ports, principal=False, on_tcp=True)

_KINDS = {
    "source.ip": _SOURCE_IP,
    "remote.ip": _REMOTE_IP,
    "source.namespace": _NAMESPACE,
    "source.principal": _PRINCIPAL,
    "source.serviceAccount": _SERVICE_ACCOUNT,
    "request.auth.principal": _REQUEST_PRINCIPAL,
    "request.auth.audiences": Kind(_claims("aud"), principal=True, on_tcp=False, bare=True),
    "request.auth.presenter": Kind(_claims("azp"), principal=True, on_tcp=False, bare=True),
    "request.auth.claims": Kind(_claims(), principal=True, on_tcp=False, bare=True),
    "request.headers": _REQUEST_HEADER,
    "destination.ip": Kind(_destination_ips, principal=False, on_tcp=True),
    "destination.port": _PORT,
    "connection.sni": Kind(_server_names, principal=False, on_tcp=True),
}
_FILTER_METADATA = Kind(_filter_metadata, principal=False, on_tcp=True, bare=True)


def _kind(key: str) -> Kind:
    if key.startswith(_EXPERIMENTAL):
        return _FILTER_METADATA
    return _KINDS[key.partition("[")[0]]
