"""How the values of an AuthorizationPolicy's fields and conditions are written for Envoy, each kind on its own.

Texts may begin or end with `*`; identities are compared as SPIFFE URIs; claims come from the verified token's payload.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from envoy.config.core.v3 import extension_pb2
from envoy.config.rbac.v3 import rbac_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.path.match.uri_template.v3 import uri_template_match_pb2
from envoy.type.matcher.v3 import metadata_pb2, path_pb2, string_pb2, value_pb2
from google.protobuf.message import Message

from localmesh.xds.wire import cidr, pack, regex

JWT_METADATA = "envoy.filters.http.jwt_authn"
_EXPERIMENTAL = "experimental."


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


PRINCIPAL = Kind(_principals, principal=True, on_tcp=True)
NAMESPACE = Kind(_namespaces, principal=True, on_tcp=True)
SERVICE_ACCOUNT = Kind(_service_accounts, principal=True, on_tcp=True)
SOURCE_IP = Kind(_source_ips, principal=True, on_tcp=True)
REMOTE_IP = Kind(_remote_ips, principal=True, on_tcp=True)
REQUEST_PRINCIPAL = Kind(_request_principals, principal=True, on_tcp=False, bare=True)
REQUEST_HEADER = Kind(_request_headers, principal=True, on_tcp=False)
HOST = Kind(_hosts, principal=False, on_tcp=False)
METHOD = Kind(_methods, principal=False, on_tcp=False)
PATH = Kind(_paths, principal=False, on_tcp=False)
PORT = Kind(_ports, principal=False, on_tcp=True)

_KINDS = {
    "source.ip": SOURCE_IP,
    "remote.ip": REMOTE_IP,
    "source.namespace": NAMESPACE,
    "source.principal": PRINCIPAL,
    "source.serviceAccount": SERVICE_ACCOUNT,
    "request.auth.principal": REQUEST_PRINCIPAL,
    "request.auth.audiences": Kind(_claims("aud"), principal=True, on_tcp=False, bare=True),
    "request.auth.presenter": Kind(_claims("azp"), principal=True, on_tcp=False, bare=True),
    "request.auth.claims": Kind(_claims(), principal=True, on_tcp=False, bare=True),
    "request.headers": REQUEST_HEADER,
    "destination.ip": Kind(_destination_ips, principal=False, on_tcp=True),
    "destination.port": PORT,
    "connection.sni": Kind(_server_names, principal=False, on_tcp=True),
}
_FILTER_METADATA = Kind(_filter_metadata, principal=False, on_tcp=True, bare=True)


def kind_of(key: str) -> Kind:
    """The kind of a `when` entry's key. Raises KeyError for a key that Istio does not know."""
    if key.startswith(_EXPERIMENTAL):
        return _FILTER_METADATA
    return _KINDS[key.partition("[")[0]]
