"""Random documents, made from the records themselves: whatever field is decoded and compiled is tried, old or new.

A document is drawn until the loader takes it, so what comes out is valid. Fields whose values have a grammar draw from
words that are right most of the time; `WORDS` and `NUMBERS` say which.
"""

import functools
import random
from collections.abc import Mapping
from dataclasses import MISSING
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import yaml

from docs.supported import COMPILED, rows
from localmesh.errors import Problems
from localmesh.manifests import istio, loads
from localmesh.manifests.record import STRUCT, DurationForm, Range, Record, Resource, spelled
from localmesh.resolve.unsupported import refusal_of

KINDS: tuple[type[Resource], ...] = (
    istio.VirtualService,
    istio.DestinationRule,
    istio.AuthorizationPolicy,
    istio.PeerAuthentication,
    istio.RequestAuthentication,
    istio.Gateway,
    istio.Sidecar,
    istio.Telemetry,
    istio.ServiceEntry,
)
GROUPS = {
    **dict.fromkeys(("AuthorizationPolicy", "PeerAuthentication", "RequestAuthentication"), "security"),
    "Telemetry": "telemetry",
}
HOSTS = ("user", "chat", "postgres", "user.mesh.svc.cluster.local", "legacy.other.svc.cluster.local")
PATHS = ("/a", "/a/b", "/user.v1.UserService/GetUser", "/")
SERVED = ("a.example.com", "*.example.com", "*")
IPS = ("10.0.0.0/8", "1.2.3.4", "fd00::/8")
PRINCIPALS = ("cluster.local/ns/mesh/sa/chat", "cluster.local/ns/mesh/*", "*/sa/user", "*")
HEADERS = ("x-room", "x-user", ":authority", "user-agent")

WORDS: Mapping[str, tuple[str, ...]] = {
    "match_labels": ("user", "chat", "gateway"),
    "GatewaySpec.selector": ("gateway",),
    "WorkloadSelector.labels": ("user", "chat"),
    "Subset.labels": ("v1", "v2"),
    "host": HOSTS,
    "subset": ("v1", "v2"),
    "hosts": ("user", "chat", "*.example.com", "a.example.com", "postgres"),
    "Server.hosts": (*SERVED, "./a.example.com", "mesh/*", "*/b.example.com"),
    "IstioEgressListener.hosts": ("./*", "*/*", "other/*", "mesh/user.mesh.svc.cluster.local"),
    "Operation.hosts": ("a.example.com", "*.example.com", "a.example.com:*", "*"),
    "not_hosts": ("a.example.com", "*.example.com", "user*"),
    "sni_hosts": SERVED,
    "gateways": ("mesh", "public", "mesh/public"),
    "export_to": (".", "*", "other"),
    "prefix": PATHS,
    "exact": (*PATHS, "v1", "POST"),
    "regex": ("/a.*", "[a-z]+", "v[12]|w", "^a?$", r"\d{2,4}"),
    "uri": PATHS,
    "authority": ("a.example.com", "user:50051"),
    "scheme": ("http", "https"),
    "match": ("^/a", "(/[^/]+)(/.*)"),
    "rewrite": (r"\1", "/b"),
    "retry_on": ("5xx,reset", "unavailable,cancelled", "connect-failure,503", "gateway-error", "retriable-4xx", ""),
    "grpc_status": ("UNAVAILABLE", "14", "NOT_FOUND"),
    "methods": ("GET", "POST", "*", "P*"),
    "not_methods": ("GET", "*T"),
    "paths": ("/a", "/a/*", "*/b", "/{*}/b", "/a/{**}", "*", "/a.b+c?"),
    "not_paths": ("/a", "/a/*", "*/b"),
    "ports": ("50051", "9464"),
    "not_ports": ("50051", "8080"),
    "principals": PRINCIPALS,
    "not_principals": PRINCIPALS,
    "request_principals": ("https://a.example.com/me", "https://a.example.com/*", "*"),
    "not_request_principals": ("https://a.example.com/me", "*"),
    "namespaces": ("mesh", "m*", "*r", "*"),
    "not_namespaces": ("other", "o*"),
    "service_accounts": ("chat", "other/legacy"),
    "not_service_accounts": ("user",),
    **dict.fromkeys(("ip_blocks", "not_ip_blocks", "remote_ip_blocks", "not_remote_ip_blocks"), IPS),
    "destination_subnets": ("10.0.0.0/8", "1.2.3.4"),
    "source_namespace": ("mesh", "other"),
    "issuer": ("https://a.example.com", "b"),
    "jwks": ('{"keys": []}', '{"keys":[{"kty":"oct","k":"c2VjcmV0","kid":"a"}]}'),
    "jwks_uri": ("https://a.example.com/keys", "http://user.mesh.svc.cluster.local:9464/keys"),
    "audiences": ("mesh", "a.example.com"),
    "from_cookies": ("token",),
    "from_params": ("token", "t"),
    "output_payload_to_header": ("x-payload",),
    "space_delimited_claims": ("scope", "groups"),
    "header": ("x-claim",),
    "claim": ("sub", "realm.roles"),
    "protocol": ("HTTP", "HTTP2", "GRPC", "TCP", "HTTPS", "TLS", "MONGO"),
    "default_endpoint": ("127.0.0.1:50051", "unix:///run/app.sock", "0.0.0.0:50051"),
    "ServerTLSSettings.credential_name": ("gateway-tls",),
    "min_protocol_version": ("TLSV1_2", "TLSV1_3"),
    "cipher_suites": ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384"),
    "verify_certificate_hash": ("df6ff72fe9116521268f6f2dd4966f51df479883fe7037b39f75916ac3049d1a",),
    "verify_certificate_spki": ("NvqYIYSbgK2vCJpQhObf77vv+bQWtc5ek5RIOwPiC9A=",),
    "subject_alt_names": ("a.example.com", "spiffe://cluster.local/ns/mesh/sa/user"),
    "sni": ("a.example.com",),
    "http_header_name": HEADERS[:2],
    "remove": HEADERS[:2],
    "path": ("/", "/a"),
    "failover_priority": ("version", "topology.kubernetes.io/region"),
    "ProviderRef.name": ("otel", "text", "json", "envoy"),
    "expression": ("response.code >= 500", "request.headers['x-a'] == 'b'", "true"),
    "addresses": ("240.1.1.1", "240.2.0.0/16"),
    "address": ("1.2.3.4", "c.example.com"),
    "locality": ("r1/z1", "r2"),
    "bind": ("0.0.0.0", "127.0.0.1"),
}
KEYS: Mapping[str, tuple[str, ...]] = {
    "labels": ("app", "version"),
    "match_labels": ("app",),
    "selector": ("app",),
    "source_labels": ("app", "version"),
    "headers": (*HEADERS, "@request.auth.claims.sub"),
    "without_headers": HEADERS,
    "set": HEADERS,
    "add": HEADERS[:2],
    "to": ("r1/*", "r2/z1/*"),
    "custom_tags": ("tag", "room"),
}
NUMBERS: Mapping[str, tuple[int, int]] = {
    "weight": (0, 100),
    "attempts": (0, 5),
    "http_status": (200, 599),
    "status": (200, 599),
    "redirect_code": (300, 310),
    "percent": (0, 100),
    "value": (0, 100),
    "mirror_percent": (0, 100),
    "minimum_percent": (0, 100),
    "aggression": (0, 3),
    "random_sampling_percentage": (0, 100),
    "table_size": (1, 600),
    "max_tag_length": (1, 600),
}
PORTS = (50051, 9464, 80, 443, 5432)
# Of these a random value is hardly ever right: key and values belong together.
CONDITIONS: tuple[Mapping[str, object], ...] = (
    {"key": "request.headers[x-room]", "values": ["a", "b*", "*"]},
    {"key": "source.ip", "values": ["10.0.0.0/8"], "notValues": ["10.1.1.1"]},
    {"key": "remote.ip", "notValues": ["fd00::/8"]},
    {"key": "source.namespace", "values": ["mesh"]},
    {"key": "source.principal", "notValues": ["cluster.local/ns/mesh/sa/chat"]},
    {"key": "destination.ip", "values": ["10.0.0.1"]},
    {"key": "destination.port", "values": ["50051"]},
    {"key": "connection.sni", "values": ["a.example.com", "*.example.com"]},
    {"key": "request.auth.principal", "values": ["https://a.example.com/me"]},
    {"key": "request.auth.audiences", "values": ["mesh"]},
    {"key": "request.auth.claims[realm][roles]", "values": ["admin", "*"]},
)


def documents(seed: int) -> list[str]:
    """One valid document of each kind, the same for the same seed."""
    dice = random.Random(seed)
    return [_valid(dice, kind, f"{kind.__name__.lower()}-{seed}") for kind in KINDS]


def _valid(dice: random.Random, kind: type[Resource], name: str) -> str:
    """The longest of three: what is refused more often has more to say."""
    found: list[str] = []
    for _ in range(600):
        text = _document(dice, kind, name)
        try:
            loads(text)
        except Problems:
            continue
        found.append(text)
        if len(found) == 3:
            return max(found, key=len)
    raise AssertionError(f"no three valid {kind.__name__}s in 600: the words need a look")


def _document(dice: random.Random, kind: type[Resource], name: str) -> str:
    made: type = kind
    spec = _record(dice, _hints(made)["spec"])
    written = {
        "apiVersion": f"{GROUPS.get(kind.__name__, 'networking')}.istio.io/v1",
        "kind": kind.__name__,
        "metadata": {"name": name, "namespace": dice.choice(("mesh", "mesh", "mesh", "istio-system"))},
        "spec": spec,
    }
    return str(yaml.dump(written, Dumper=yaml.CSafeDumper, sort_keys=False))


def _record(dice: random.Random, cls: type[Record], depth: int = 0) -> Any:
    if cls.__name__ == "Condition":
        return dict(dice.choice(CONDITIONS))
    kind: type = cls
    hints, compiled, required = _hints(kind), _compiled(kind), _required(kind)
    dropped = set()
    for group in (*cls.AT_MOST_ONE, cls.EXACTLY_ONE):
        keep = dice.choice(group) if group else ""
        dropped |= set(group) - {keep}
    made = {}
    for field, name in spelled(kind).items():
        likely = 0.45 if depth < 2 else 0.3
        if name not in compiled or field in dropped or field in {"where", "places"}:
            continue
        if field in required or dice.random() < likely:
            value = _value(dice, hints[field], cls.__name__, field, depth + 1)
            refusal = refusal_of(kind, field)
            if not (refusal and value in refusal.values):
                made[name] = value
    return made


@functools.cache
def _hints(cls: type) -> Mapping[str, Any]:
    return get_type_hints(cls, include_extras=True)


@functools.cache
def _compiled(cls: type) -> frozenset[str]:
    return frozenset(row.field for row in rows(cls) if row.state == COMPILED)


@functools.cache
def _required(cls: type) -> frozenset[str]:
    fields = vars(cls)["__dataclass_fields__"].items()
    return frozenset(name for name, each in fields if each.default is MISSING and each.default_factory is MISSING)


def _value(dice: random.Random, hint: Any, owner: str, field: str, depth: int) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        return _value(dice, next(each for each in args if each is not type(None)), owner, field, depth)
    if origin is tuple:
        return [_value(dice, args[0], owner, field, depth) for _ in range(dice.choice((1, 1, 2)))]
    if origin is Literal:
        return dice.choice(args)
    if origin is Annotated:
        return _annotated(dice, hint, field)
    if origin is not None:
        return {_key(dice, args[0], field): _value(dice, args[1], owner, field, depth) for _ in range(2)}
    if issubclass(hint, Record):
        return _record(dice, hint, depth)
    if hint is str:
        words = WORDS.get(f"{owner}.{field}") or WORDS.get(field) or ("v1", "a", "b-c")
        return dice.choice(words)
    return dice.random() < 0.5 if hint is bool else dice.randint(*NUMBERS.get(field, (0, 100)))


def _key(dice: random.Random, hint: Any, field: str) -> Any:
    return dice.choice(PORTS[:2]) if get_origin(hint) is Annotated else dice.choice(KEYS.get(field, ("x-a", "x-b")))


def _annotated(dice: random.Random, hint: Any, field: str) -> Any:
    mark = get_args(hint)[1]
    if isinstance(mark, DurationForm):
        return dice.choice(("1s", "250ms", "5s", "1m30s"))
    if isinstance(mark, Range):
        if mark.noun == "port number" or field in {"port", "number", "target_port", "ports"}:
            return dice.choice(PORTS)
        return dice.randint(*NUMBERS.get(field, (max(mark.least, 0), min(mark.most, 1000))))
    return {"a": "b"} if mark is STRUCT else "1"
