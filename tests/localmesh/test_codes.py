"""Every code that docs/warnings.md explains is found in a document, and istioctl's own findings are among ours."""

import pytest

from localmesh import codes
from localmesh.errors import Problem, Problems
from localmesh.manifests import loads
from localmesh.resolve import resolve
from tests.conformance.reference import kept
from tests.localmesh.resolve.base import BASE, istio, service

TO_USER = "route: [{destination: {host: user, port: {number: 50051}}}]"
PUBLIC = istio(
    "Gateway",
    "public",
    "selector: {app: gateway}\nservers: [{port: {number: 80, name: grpc, protocol: GRPC}, hosts: [a.example.com]}]",
)
BROKEN_OTEL = """
apiVersion: install.istio.io/v1alpha1
kind: IstioOperator
metadata: {name: mesh, namespace: istio-system}
spec:
  meshConfig:
    extensionProviders: [{name: otel, opentelemetry: {service: collector.mesh.svc.cluster.local, port: 4317}}]
    defaultProviders: {tracing: [otel]}
---
"""


def user(http: str, *, name: str = "user", hosts: str = "[user]", more: str = "") -> str:
    """A VirtualService with these routes."""
    return istio("VirtualService", name, f"hosts: {hosts}\n{more}http: [{http}]")


def rule(spec: str, host: str = "user") -> str:
    """A DestinationRule."""
    return istio("DestinationRule", "rule", f"host: {host}\n{spec}")


def gateway(servers: str, selector: str = "{app: gateway}") -> str:
    """A Gateway with these servers."""
    return istio("Gateway", "g", f"selector: {selector}\nservers: [{servers}]")


def https(tls: str, protocol: str = "HTTPS") -> str:
    """A server on port 443."""
    return gateway(f"{{port: {{number: 443, name: https, protocol: {protocol}}}, hosts: ['*'], tls: {{{tls}}}}}")


def access(spec: str) -> str:
    """An AuthorizationPolicy."""
    return istio("AuthorizationPolicy", "p", spec, group="security")


def entry(spec: str) -> str:
    """A ServiceEntry for something outside."""
    return istio("ServiceEntry", "e", spec)


FAULT = "fault: {abort: {percentage: {value: 1}}}"
RETRY = "retries: {attempts: 2, retryOn: 'unavailable,cancelled'}"
PROVOKED = {
    "LM001": user(f"{{retry: {{}}, {TO_USER}}}"),
    "LM002": rule("trafficPolicy: {tunnel: {targetHost: a, targetPort: 80}}"),
    "LM003": user("{route: [{destination: {host: usr}}]}"),
    "LM004": user("{route: [{destination: {host: user, subset: v7}}]}"),
    "LM005": user("{route: [{destination: {host: user, subset: v9}}]}")
    + rule("subsets: [{name: v9, labels: {version: v9}}]"),
    "LM006": user(f"{{{TO_USER}}}", hosts="[a.example.com]", more="gateways: [nowhere]\n"),
    "LM101": user(f"{{{TO_USER}}}, {{match: [{{uri: {{prefix: /b}}}}], {TO_USER}}}"),
    "LM102": user(
        f"{{match: [{{uri: {{prefix: /a}}}}], {TO_USER}}}, {{match: [{{uri: {{prefix: /a/b}}}}], {TO_USER}}}"
    ),
    "LM103": user(f"{{mirror: {{host: chat, port: {{number: 50051}}}}, mirrorPercent: 3, {TO_USER}}}"),
    "LM104": user(f"{{{FAULT}, {TO_USER}}}"),
    "LM105": PUBLIC
    + user(f"{{{TO_USER}}}", hosts="[a.example.com]", more="gateways: [public.mesh.svc.cluster.local]\n"),
    "LM106": PUBLIC + user(f"{{{TO_USER}}}", more="gateways: [public]\n"),
    "LM107": user(f"{{{TO_USER}}}", hosts="[usr]"),
    "LM108": user(f"{{{TO_USER}}}", name="a") + user(f"{{{TO_USER}}}", name="b"),
    "LM109": istio("VirtualService", "part", f"http: [{{{TO_USER}}}]"),
    "LM110": user("{match: [{uri: {prefix: /b}}], delegate: {name: part}}")
    + istio("VirtualService", "part", f"http: [{{match: [{{uri: {{prefix: /c}}}}], {TO_USER}}}]"),
    "LM111": user(f"{{timeout: 3s, retries: {{attempts: 2, perTryTimeout: 2s}}, {TO_USER}}}"),
    "LM112": user(f"{{{RETRY}, {TO_USER}}}"),
    "LM113": PUBLIC + user(f"{{{TO_USER}}}", hosts="[b.example.com]", more="gateways: [public]\n"),
    "LM201": rule("", host="usr"),
    "LM202": rule("trafficPolicy: {loadBalancer: {localityLbSetting: {failover: [{from: a, to: b}]}}}"),
    "LM203": rule("trafficPolicy: {tls: {mode: SIMPLE}}"),
    "LM204": rule("trafficPolicy: {outlierDetection: {consecutiveErrors: 3}}"),
    "LM301": gateway("{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}", "{app: nobody}"),
    "LM302": gateway(
        "{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']},"
        "{port: {number: 80, name: tcp, protocol: TCP}, hosts: ['*']}"
    ),
    "LM303": https("mode: SIMPLE, credentialName: c, minProtocolVersion: TLSV1_0"),
    "LM304": https("mode: SIMPLE, credentialName: c, cipherSuites: [NOPE]"),
    "LM305": https("mode: PASSTHROUGH, serverCertificate: /c, privateKey: /k", "TLS"),
    "LM306": https("mode: SIMPLE, credentialName: c, httpsRedirect: true"),
    "LM401": access("action: DENY\nrules: [{to: [{operation: {paths: [/a]}}]}]"),
    "LM402": access("selector: {matchLabels: {}}\nrules: [{}]"),
    "LM403": access("selector: {matchLabels: {app: nobody}}\nrules: [{}]"),
    "LM404": access("rules: [{to: [{operation: {methods: [/user.v1.UserService/GetUser]}}]}]"),
    "LM501": service("plain", "{name: rpc, port: 50051}", app="user"),
    "LM502": service("odd", "{name: grpc, port: 50051, appProtocol: quic9}", app="user"),
    "LM503": service("ghost", "{name: grpc, port: 50051}"),
    "LM504": entry("hosts: ['*a.example.com']\nports: [{number: 80, name: http, protocol: HTTP}]"),
    "LM505": entry(
        "hosts: [a.example.com]\nports: [{number: 80, name: http, protocol: HTTP}]\n"
        "resolution: DNS\nworkloadSelector: {labels: {app: user}}"
    ),
    "LM506": entry("hosts: [a.example.com]\nports: [{number: 80, name: tcp, protocol: TCP}]\nresolution: DNS"),
    "LM601": istio("Telemetry", "t", "tracing: [{}, {}]", group="telemetry"),
    "LM602": BROKEN_OTEL,
    "LM701": istio(
        "Sidecar",
        "s",
        "ingress: [{port: {number: 50051, name: tcp, protocol: TCP}, defaultEndpoint: '127.0.0.1:50051',\n"
        "  connectionPool: {http: {http2MaxRequests: 1}}}]",
    ),
    "LM702": istio("Sidecar", "s", "egress: [{hosts: ['./*', './*']}]"),
    "LM703": istio(
        "Sidecar",
        "s",
        "ingress: [{port: {number: 443, name: https, protocol: HTTPS}, defaultEndpoint: '127.0.0.1:50051',\n"
        "  tls: {mode: SIMPLE, serverCertificate: /c, privateKey: /k}}]",
    ),
    "LM801": istio(
        "EnvoyFilter", "f", "configPatches: [{applyTo: CLUSTER, patch: {operation: MERGE, value: {name: x}}}]"
    ).replace("istio.io/v1", "istio.io/v1alpha3"),
}


def found(text: str) -> tuple[Problem, ...]:
    """All that is said of a text: problems and warnings."""
    try:
        documents = loads(text, "it.yaml")
    except Problems as raised:
        return raised.problems
    resolution = resolve(documents)
    return (*documents.warnings, *resolution.problems, *resolution.warnings)


@pytest.mark.parametrize("code", tuple(codes.every()), ids=lambda each: each.code)
def test_each_code_is_found_in_a_document_that_deserves_it(code: codes.Code) -> None:
    """At a line, and shown behind the sentence."""
    said = [each for each in found(BASE + PROVOKED[code.code]) if each.code == code.code]
    assert said, [str(each) for each in found(BASE + PROVOKED[code.code])]
    assert all(each.where.line and str(each).endswith(f"[{code.code}]") for each in said)


def test_the_small_mesh_itself_is_free_of_findings() -> None:
    """So that what the documents above provoke is theirs."""
    assert not found(BASE)


def test_codes_are_unique() -> None:
    every = [each.code for each in codes.every()]
    assert len(every) == len(set(every))


# What `istioctl analyze` 1.30 says of the reference cases (its analyze-cases.json), by our codes.
ANALYZED = {
    "ap-dry-run": "LM401",
    "ap-tcp-deny-http-fields": "LM401",
    "ap-to-grpc-method": "LM401",
    "dr-tls-simple": "LM203",
    "dr-tls-simple-options": "LM203",
    "gw-hosts": "LM113",
    "se-dns-tls-origination": "LM203",
    "se-tcp-no-address": "LM506",
    "tel-tracing-mode": "LM601",
    "vs-conflict-same-host-mesh": "LM108",
    "vs-fault-delay": "LM103",
    "vs-missing-subset": "LM004",
    "vs-order-catch-all-early": "LM101",
    "vs-order-prefix-root-is-catch-all": "LM102",
}


@pytest.mark.parametrize("case", ANALYZED)
def test_what_istioctl_finds_is_found_here(case: str) -> None:
    assert ANALYZED[case] in {each.code for each in found(kept()[case].text)}


@pytest.mark.parametrize("case", ["vs-retries", "ra-full", "gw-tls-mutual", "sidecar-ingress-tls"])
def test_every_warning_has_a_code(case: str) -> None:
    documents = loads(kept()[case].text)
    assert all(each.code for each in (*documents.warnings, *resolve(documents).warnings))


@pytest.mark.parametrize(
    ("retries", "match", "warned"),
    [
        ("", "/user.v1.UserService/CreateUser", True),  # Istio's own policy retries `cancelled`
        ("", "/user.v1.UserService/GetUser", False),
        ("retries: {attempts: 0},", "/user.v1.UserService/CreateUser", False),
        ("retries: {attempts: 1, retryOn: unavailable},", "/user.v1.UserService/CreateUser", True),
        ("retries: {attempts: 1, retryOn: 'connect-failure,refused-stream'},", "/user.v1.UserService/Create", False),
        ("retries: {attempts: 1, retryOn: cancelled},", "/user.v1.UserService/ListUsers", False),
    ],
)
def test_a_retry_is_doubted_where_a_write_may_be_carried_out_twice(retries: str, match: str, warned: bool) -> None:
    written = user(f"{{{retries} match: [{{uri: {{exact: {match}}}}}], {TO_USER}}}")
    assert ("LM112" in {each.code for each in found(BASE + written)}) is warned


def test_a_catch_all_route_under_istios_own_policy_is_not_doubted() -> None:
    """It is what nearly every mesh has: a warning on each would be read by nobody."""
    assert "LM112" not in {each.code for each in found(BASE + user(f"{{{TO_USER}}}"))}
