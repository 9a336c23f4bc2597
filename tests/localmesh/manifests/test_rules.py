"""What istiod rejects in one document is rejected at its place, what it takes is taken, and where it warns we warn."""
# ruff: noqa: E501 (tables of one document a line)

import pytest

from tests.localmesh.manifests.documents import accepted, document, refused

ROUTE = "route: [{destination: {host: chat}}]"


def http(route: str) -> str:
    """A VirtualService with one HTTP route."""
    return f"{{hosts: [chat], http: [{{{route}}}]}}"


def policy(traffic_policy: str) -> str:
    """A DestinationRule with one traffic policy."""
    return f"{{host: chat, trafficPolicy: {{{traffic_policy}}}}}"


def server(rest: str, protocol: str = "HTTPS") -> str:
    """A Gateway with one server."""
    return f'{{servers: [{{port: {{number: 443, name: one, protocol: {protocol}}}, hosts: ["*"], {rest}}}]}}'


def rule(source: str = "", operation: str = "", when: str = "") -> str:
    """An AuthorizationPolicy with one rule."""
    parts = [f"from: [{{source: {{{source}}}}}]"] if source else []
    parts += [f"to: [{{operation: {{{operation}}}}}]"] if operation else []
    parts += [f"when: [{{{when}}}]"] if when else []
    return f"{{rules: [{{{', '.join(parts)}}}]}}"


def entry(rest: str, host: str = "a.example.net") -> str:
    """A ServiceEntry with one HTTP port."""
    return f"{{hosts: [{host}], ports: [{{number: 80, name: http, protocol: HTTP}}], {rest}}}"


REFUSED = [
    ("VirtualService", "{hosts: [chat]}", "spec", "has no routes"),
    ("VirtualService", f"{{hosts: ['bad_host!'], http: [{{{ROUTE}}}]}}", "spec.hosts[0]", "not a host name"),
    ("VirtualService", f"{{hosts: ['*.*.com'], http: [{{{ROUTE}}}]}}", "spec.hosts[0]", "not a host name"),
    ("VirtualService", f"{{hosts: ['*'], http: [{{{ROUTE}}}]}}", "spec.hosts[0]", "needs a gateway"),
    ("VirtualService", f"{{hosts: [a, a], http: [{{{ROUTE}}}]}}", "spec.hosts[1]", "twice"),
    ("VirtualService", f"{{hosts: ['*.a.com', b.a.com], http: [{{{ROUTE}}}]}}", "spec.hosts[1]", "twice"),
    ("VirtualService", f"{{hosts: [a], gateways: [a/b/c], http: [{{{ROUTE}}}]}}", "spec.gateways[0]", "namespace/name"),
    ("VirtualService", f"{{gateways: [g], http: [{{{ROUTE}}}]}}", "spec.gateways", "is a delegate"),
    ("VirtualService", f"{{hosts: [a], exportTo: ['*', b], http: [{{{ROUTE}}}]}}", "spec.exportTo", "beside others"),
    ("VirtualService", f"{{hosts: [a], exportTo: [., mesh], http: [{{{ROUTE}}}]}}", "spec.exportTo", "twice"),
    ("VirtualService", http("match: [{uri: {prefix: /a}}]"), "spec.http[0]", "does nothing"),
    ("VirtualService", http(f"{ROUTE}, redirect: {{uri: /x}}"), "spec.http[0].route", "not both"),
    ("VirtualService", http(f"{ROUTE}, directResponse: {{status: 200}}"), "spec.http[0].route", "not both"),
    ("VirtualService", http("redirect: {uri: /x}, fault: {abort: {httpStatus: 500}}"), "spec.http[0].fault", "not both"),
    ("VirtualService", http(f"{ROUTE}, delegate: {{name: x}}"), "spec.http[0].route", "no route of its own"),
    ("VirtualService", http(f"{ROUTE}, mirror: {{host: a}}, mirrors: [{{destination: {{host: a}}}}]"), "spec.http[0].mirrors", "not both"),
    ("VirtualService", http("redirect: {}"), "spec.http[0].redirect", "leads nowhere"),
    ("VirtualService", http("redirect: {uri: /x, redirectCode: 200}"), "spec.http[0].redirect.redirectCode", "not a redirect"),
    ("VirtualService", http("directResponse: {status: 99}"), "spec.http[0].directResponse.status", "99"),
    ("VirtualService", http(f"{ROUTE}, rewrite: {{}}"), "spec.http[0].rewrite", "changes nothing"),
    ("VirtualService", http(f"{ROUTE}, rewrite: {{uriRegexRewrite: {{match: a}}}}"), "spec.http[0].rewrite.uriRegexRewrite", "needs both"),
    ("VirtualService", http(f"{ROUTE}, fault: {{}}"), "spec.http[0].fault", "does nothing"),
    ("VirtualService", http(f"{ROUTE}, fault: {{abort: {{grpcStatus: NOPE}}}}"), "spec.http[0].fault.abort.grpcStatus", "not a gRPC status"),
    ("VirtualService", http(f"{ROUTE}, fault: {{abort: {{httpStatus: 500, percentage: {{value: 101}}}}}}"), "spec.http[0].fault.abort.percentage.value", "101"),
    ("VirtualService", http(f"{ROUTE}, mirrorPercentage: {{value: 150}}"), "spec.http[0].mirrorPercentage.value", "150"),
    ("VirtualService", http(f"{ROUTE}, retries: {{perTryTimeout: 1s}}"), "spec.http[0].retries", "no attempts"),
    ("VirtualService", http(f"{ROUTE}, retries: {{attempts: -1}}"), "spec.http[0].retries.attempts", "-1"),
    ("VirtualService", http(f"{ROUTE}, retries: {{attempts: 2, retryOn: '5xx, reset'}}"), "spec.http[0].retries.retryOn", "no spaces"),
    ("VirtualService", http(f"{ROUTE}, retries: {{attempts: 2, retryOn: '599'}}"), "spec.http[0].retries.retryOn", "not an HTTP status"),
    ("VirtualService", http(f"{ROUTE}, retries: {{attempts: 2, retryOn: unavailible}}"), "spec.http[0].retries.retryOn", '"unavailable"'),
    ("VirtualService", http("route: [{destination: {host: a, subset: V_1}}]"), "spec.http[0].route[0].destination.subset", "not a subset"),
    ("VirtualService", http("route: [{destination: {host: '*'}}]"), "spec.http[0].route[0].destination.host", "no host"),
    ("VirtualService", http("route: [{destination: {host: a, port: {number: 0}}}]"), "spec.http[0].route[0].destination.port.number", "0 is not a port"),
    ("VirtualService", http("route: [{destination: {host: a}}, {destination: {host: b}}]"), "spec.http[0].route[0]", "all weights"),
    ("VirtualService", http("route: [{destination: {host: a}, weight: -1}]"), "spec.http[0].route[0].weight", "negative"),
    ("VirtualService", http(f"{ROUTE}, match: [{{headers: {{'a b': {{exact: x}}}}}}]"), "spec.http[0].match[0].headers[a b]", "not a header name"),
    ("VirtualService", http(f"{ROUTE}, match: [{{headers: {{'@request.auth.claims.x': {{exact: x}}}}}}]"), "spec.http[0].match[0].headers[@request.auth.claims.x]", "only a gateway"),
    ("VirtualService", http(f"{ROUTE}, match: [{{uri: {{regex: '(?=a)'}}}}]"), "spec.http[0].match[0].uri.regex", "RE2"),
    ("VirtualService", http("delegate: {name: a}, match: [{uri: {regex: a}}]"), "spec.http[0].match[0].uri.regex", "in a delegation"),
    ("VirtualService", http(f"{ROUTE}, match: [{{sourceLabels: {{'a b': c}}}}]"), "spec.http[0].match[0].sourceLabels", "not a label key"),
    ("VirtualService", http(f"{ROUTE}, headers: {{request: {{set: {{x: '%BAD('}}}}}}"), "spec.http[0].headers.request.set[x]", "%variable%"),
    ("VirtualService", http(f"{ROUTE}, headers: {{response: {{set: {{Host: x}}}}}}"), "spec.http[0].headers.response.set[Host]", "cannot be changed"),
    ("VirtualService", http(f"{ROUTE}, headers: {{request: {{set: {{':path': x}}}}}}"), "spec.http[0].headers.request.set[:path]", "cannot be changed"),
    ("VirtualService", http(f"{ROUTE}, rewrite: {{authority: a}}, headers: {{request: {{set: {{Host: b}}}}}}"), "spec.http[0].headers.request.set[Host]", "changed twice"),
    ("VirtualService", http(f"{ROUTE}, corsPolicy: {{allowMethods: [FOO]}}"), "spec.http[0].corsPolicy.allowMethods[0]", "not an HTTP method"),
    ("VirtualService", http(f"{ROUTE}, corsPolicy: {{maxAge: 1.5s}}"), "spec.http[0].corsPolicy.maxAge", "whole seconds"),
    ("VirtualService", "{hosts: [a], tcp: [{match: [{port: 1}]}]}", "spec.tcp[0]", "needs a route"),
    ("VirtualService", f"{{hosts: [a], tcp: [{{match: [{{destinationSubnets: [10.0.0.0/99]}}], {ROUTE}}}]}}", "spec.tcp[0].match[0].destinationSubnets[0]", "CIDR"),
    ("VirtualService", f"{{hosts: [a.com], tls: [{{match: [{{sniHosts: [b.com]}}], {ROUTE}}}]}}", "spec.tls[0].match[0].sniHosts[0]", "in none of the hosts"),
    ("DestinationRule", "{}", "spec", "host is missing"),
    ("DestinationRule", "{host: ''}", "spec.host", "the host is empty"),
    ("DestinationRule", "{host: a, subsets: [{name: v1}, {name: v1}]}", "spec.subsets[1].name", "twice"),
    ("DestinationRule", "{host: a, subsets: [{name: v1, labels: {version: 'v 1'}}]}", "spec.subsets[0].labels", "not a label value"),
    ("DestinationRule", "{host: a, exportTo: ['*'], workloadSelector: {matchLabels: {a: b}}}", "spec.exportTo", "own namespace"),
    ("DestinationRule", policy(""), "spec.trafficPolicy", "empty"),
    ("DestinationRule", policy("connectionPool: {}"), "spec.trafficPolicy.connectionPool", "empty"),
    ("DestinationRule", policy("connectionPool: {tcp: {maxConnections: -1}}"), "spec.trafficPolicy.connectionPool.tcp.maxConnections", "negative"),
    ("DestinationRule", policy("connectionPool: {http: {h2UpgradePolicy: UPGRADE, useClientProtocol: true}}"), "spec.trafficPolicy.connectionPool.http.useClientProtocol", "UPGRADE"),
    ("DestinationRule", policy("connectionPool: {http: {idleTimeout: 0s}}"), "spec.trafficPolicy.connectionPool.http.idleTimeout", "too short"),
    ("DestinationRule", policy("outlierDetection: {consecutiveLocalOriginFailures: 5}"), "spec.trafficPolicy.outlierDetection.consecutiveLocalOriginFailures", "splitExternal"),
    ("DestinationRule", policy("outlierDetection: {maxEjectionPercent: 120}"), "spec.trafficPolicy.outlierDetection.maxEjectionPercent", "not a percentage"),
    ("DestinationRule", policy("loadBalancer: {simple: RANDOM, consistentHash: {useSourceIp: true}}"), "spec.trafficPolicy.loadBalancer", "only one of"),
    ("DestinationRule", policy("loadBalancer: {consistentHash: {useSourceIp: true, maglev: {tableSize: 100}}}"), "spec.trafficPolicy.loadBalancer.consistentHash.maglev.tableSize", "not a prime"),
    ("DestinationRule", policy("loadBalancer: {localityLbSetting: {distribute: [{from: a/*, to: {a/*: 60, b/*: 60}}]}}"), "spec.trafficPolicy.loadBalancer.localityLbSetting.distribute[0].to", "add up to 120"),
    ("DestinationRule", policy("loadBalancer: {localityLbSetting: {distribute: [{from: a/*, to: {a/*: 60, a/b/*: 40}}]}}"), "spec.trafficPolicy.loadBalancer.localityLbSetting.distribute[0].to", "overlaps"),
    ("DestinationRule", policy("loadBalancer: {localityLbSetting: {failover: [{from: a, to: a}]}}"), "spec.trafficPolicy.loadBalancer.localityLbSetting.failover[0]", "to itself"),
    ("DestinationRule", policy("tls: {mode: MUTUAL, privateKey: /k}"), "spec.trafficPolicy.tls", "needs clientCertificate"),
    ("DestinationRule", policy("tls: {mode: SIMPLE, insecureSkipVerify: true, caCertificates: /c}"), "spec.trafficPolicy.tls.caCertificates", "checks nothing"),
    ("DestinationRule", policy("portLevelSettings: [{loadBalancer: {simple: RANDOM}}]"), "spec.trafficPolicy.portLevelSettings[0]", "port is missing"),
    ("DestinationRule", policy("portLevelSettings: [{port: {number: 80}}]"), "spec.trafficPolicy.portLevelSettings[0]", "empty"),
    ("Gateway", "{selector: {a: b}}", "spec", "no servers"),
    ("Gateway", server("", "HTTP3X"), "spec.servers[0].port.protocol", "not a protocol"),
    ("Gateway", server("bind: 10.0.0"), "spec.servers[0].bind", "not an IP"),
    ("Gateway", server(""), "spec.servers[0]", "needs tls"),
    ("Gateway", server("tls: {mode: SIMPLE}"), "spec.servers[0].tls", "needs serverCertificate"),
    ("Gateway", server("tls: {mode: MUTUAL, serverCertificate: /a, privateKey: /b}"), "spec.servers[0].tls", "needs caCertificates"),
    ("Gateway", server("tls: {mode: SIMPLE, credentialName: c}", "HTTP"), "spec.servers[0].tls", "no tls but httpsRedirect"),
    ("Gateway", "{servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [short]}]}", "spec.servers[0].hosts[0]", "short name"),
    ("Gateway", "{servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [NS!/a.com]}]}", "spec.servers[0].hosts[0]", "not a namespace"),
    ("Sidecar", "{}", "spec", "says nothing"),
    ("Sidecar", "{egress: [{hosts: [nohost]}]}", "spec.egress[0].hosts[0]", "has no namespace"),
    ("Sidecar", "{egress: [{hosts: [./*]}, {hosts: [a/*]}]}", "spec.egress[0]", "only the last"),
    ("Sidecar", "{ingress: [{port: {number: 80}, defaultEndpoint: '10.0.0.1:80'}]}", "spec.ingress[0].defaultEndpoint", "not the workload itself"),
    ("Sidecar", "{ingress: [{port: {number: 80}}, {port: {number: 80}}]}", "spec.ingress[1].port", "second listener"),
    ("PeerAuthentication", "{portLevelMtls: {8080: {mode: DISABLE}}}", "spec.portLevelMtls", "needs a selector"),
    ("PeerAuthentication", "{selector: {matchLabels: {a: b}}, portLevelMtls: {70000: {mode: DISABLE}}}", "spec.portLevelMtls[70000]", "not a port"),
    ("AuthorizationPolicy", "{action: DENY}", "spec", "never does anything"),
    ("AuthorizationPolicy", "{action: CUSTOM, rules: [{}]}", "spec", "needs provider.name"),
    ("AuthorizationPolicy", "{action: ALLOW, provider: {name: x}}", "spec.provider", "has no provider"),
    ("AuthorizationPolicy", "{selector: {matchLabels: {app: 'a*'}}}", "spec.selector.matchLabels[app]", "no wildcards"),
    ("AuthorizationPolicy", "{selector: {matchLabels: {a: b}}, targetRefs: [{kind: Service, name: a}]}", "spec", "only one of"),
    ("AuthorizationPolicy", "{targetRefs: [{kind: Pod, name: a}]}", "spec.targetRefs[0].kind", "cannot be attached to a Pod"),
    ("AuthorizationPolicy", rule(source=" "), "spec.rules[0].from[0].source", "asks for nothing"),
    ("AuthorizationPolicy", rule(source="principals: ['']"), "spec.rules[0].from[0].source.principals[0]", "empty"),
    ("AuthorizationPolicy", rule(source="ipBlocks: [10.0.0.0/40]"), "spec.rules[0].from[0].source.ipBlocks[0]", "CIDR"),
    ("AuthorizationPolicy", rule(source="serviceAccounts: [a/b/c]"), "spec.rules[0].from[0].source.serviceAccounts[0]", "service account"),
    ("AuthorizationPolicy", rule(source="serviceAccounts: [a], namespaces: [b]"), "spec.rules[0].from[0].source", "cannot go with"),
    ("AuthorizationPolicy", rule(operation="ports: [http]"), "spec.rules[0].to[0].operation.ports[0]", "not a port"),
    ("AuthorizationPolicy", rule(operation="paths: ['/a/{x}']"), "spec.rules[0].to[0].operation.paths[0]", "braces"),
    ("AuthorizationPolicy", rule(operation="paths: ['/{**}/{*}']"), "spec.rules[0].to[0].operation.paths[0]", "last"),
    ("AuthorizationPolicy", rule(when="key: request.header, values: [a]"), "spec.rules[0].when[0].key", '"request.headers"'),
    ("AuthorizationPolicy", rule(when="key: source.ip"), "spec.rules[0].when[0]", "no values"),
    ("AuthorizationPolicy", rule(when="key: request.headers, values: [a]"), "spec.rules[0].when[0].key", "in brackets"),
    ("AuthorizationPolicy", rule(when="key: destination.port, values: [x]"), "spec.rules[0].when[0].values[0]", "not a port"),
    ("AuthorizationPolicy", "{action: CUSTOM, provider: {name: x}, rules: [{from: [{source: {principals: [a]}}]}]}", "spec.rules[0].from[0].source.principals", "CUSTOM"),
    ("RequestAuthentication", "{jwtRules: [{jwks: '{\"keys\": []}'}]}", "spec.jwtRules[0]", "issuer is missing"),
    ("RequestAuthentication", "{jwtRules: [{issuer: a, jwks: nope}]}", "spec.jwtRules[0].jwks", "not JSON"),
    ("RequestAuthentication", "{jwtRules: [{issuer: a, jwks: '{}'}]}", "spec.jwtRules[0].jwks", "not a key set"),
    ("RequestAuthentication", "{jwtRules: [{issuer: a, jwks: '{\"keys\": []}'}]}", "spec.jwtRules[0].jwks", "has no key"),
    ("RequestAuthentication", "{jwtRules: [{issuer: a, jwks: '{\"keys\": [{\"kty\": \"RSA\", \"n\": \"a\"}]}'}]}", "spec.jwtRules[0].jwks", "has no key"),
    ("ServiceEntry", "{hosts: [a.example.com, a.example.com], ports: [{number: 80, name: http, protocol: HTTP}]}", "spec.hosts[1]", "listed twice"),
    ("RequestAuthentication", "{jwtRules: [{issuer: a, jwksUri: ftp://x}]}", "spec.jwtRules[0].jwksUri", "not an http"),
    ("RequestAuthentication", "{jwtRules: [{issuer: a, audiences: ['']}]}", "spec.jwtRules[0].audiences[0]", "empty"),
    ("RequestAuthentication", "{jwtRules: [{issuer: a, outputClaimToHeaders: [{header: x y, claim: a}]}]}", "spec.jwtRules[0].outputClaimToHeaders[0].header", "not a header"),
    ("Telemetry", "{tracing: [{randomSamplingPercentage: 150}]}", "spec.tracing[0].randomSamplingPercentage", "150"),
    ("Telemetry", "{tracing: [{providers: [{name: ''}]}]}", "spec.tracing[0].providers[0].name", "empty"),
    ("Telemetry", "{tracing: [{customTags: {a: {literal: {value: ''}}}}]}", "spec.tracing[0].customTags[a].literal.value", "empty"),
    ("Telemetry", "{accessLogging: [{filter: {expression: 'a >>= 1'}}]}", "spec.accessLogging[0].filter.expression", "not an expression"),
    ("Telemetry", "{metrics: [{overrides: [{tagOverrides: {a: {operation: REMOVE, value: x}}}]}]}", "spec.metrics[0].overrides[0].tagOverrides[a].value", "REMOVE"),
    ("ServiceEntry", entry("resolution: NONE", host='"*"'), "spec.hosts[0]", 'for "*"'),
    ("ServiceEntry", entry("resolution: DNS", host='"*.a.net"'), "spec.hosts[0]", "cannot be looked up"),
    ("ServiceEntry", entry("addresses: [nope]"), "spec.addresses[0]", "not an IP"),
    ("ServiceEntry", entry("addresses: [10.0.0.0/8], resolution: DNS"), "spec.addresses[0]", "cannot go with"),
    ("ServiceEntry", entry("endpoints: [{address: 1.2.3.4}]"), "spec.endpoints", "no endpoints"),
    ("ServiceEntry", entry("resolution: STATIC, endpoints: [{address: a.b}]"), "spec.endpoints[0].address", "not an IP"),
    ("ServiceEntry", entry("resolution: STATIC, endpoints: [{address: 1.2.3.4, ports: {x: 1}}]"), "spec.endpoints[0].ports[x]", 'no port "x"'),
    ("ServiceEntry", "{hosts: [a.net, b.net], resolution: DNS, ports: [{number: 1, name: tcp, protocol: TCP}]}", "spec.ports", "tell hosts apart"),
    ("WorkloadEntry", "{labels: {a: b}}", "spec", "needs an address"),
    ("WorkloadEntry", "{address: 1.2.3.4, ports: {http: 70000}}", "spec.ports[http]", "not a port"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "spec", "path", "words"), REFUSED)
def test_what_istiod_rejects_is_refused_at_its_place(kind: str, spec: str, path: str, words: str) -> None:
    problems = refused(document(kind, spec))
    assert path in [each.where.path for each in problems]
    assert words in " ".join(str(each) for each in problems if each.where.path == path)


ACCEPTED = [
    ("VirtualService", f"{{hosts: [], http: [{{{ROUTE}}}]}}"),
    ("VirtualService", f"{{hosts: [10.0.0.1], http: [{{{ROUTE}}}]}}"),
    ("VirtualService", http(f"{ROUTE}, match: [{{}}]")),
    ("VirtualService", http(f"{ROUTE}, match: [{{uri: {{prefix: ''}}}}]")),
    ("VirtualService", http(f"{ROUTE}, match: [{{headers: {{':authority': {{exact: a}}, X_Y: {{}}}}}}]")),
    ("VirtualService", http(f"{ROUTE}, fault: {{delay: {{percentage: {{value: 10}}}}}}")),
    ("VirtualService", http(f"{ROUTE}, retries: {{attempts: 2, retryOn: '503,unavailable'}}")),
    ("VirtualService", http(f"{ROUTE}, headers: {{request: {{set: {{a: '%REQ(x)% 100%%', ':authority': b}}}}}}")),
    ("VirtualService", http("route: [{destination: {host: a}, weight: 60}, {destination: {host: b}, weight: 60}]")),
    ("DestinationRule", policy("loadBalancer: {consistentHash: {}}")),
    ("DestinationRule", policy("connectionPool: {tcp: {idleTimeout: 0s}}")),
    ("DestinationRule", policy("retryBudget: {percent: 20}")),
    ("DestinationRule", policy("tls: {mode: ISTIO_MUTUAL, clientCertificate: /a, privateKey: /b}")),
    ("Gateway", server("tls: {mode: SIMPLE, credentialName: c, minProtocolVersion: TLSV1_3, maxProtocolVersion: TLSV1_2}")),
    ("AuthorizationPolicy", "{}"),
    ("AuthorizationPolicy", "{rules: [{from: [], to: []}]}"),
    ("AuthorizationPolicy", rule(operation="paths: ['/a/{*}/{**}', '/b*', '*c']")),
    ("AuthorizationPolicy", rule(source="serviceAccounts: [a, ns/b]")),
    ("RequestAuthentication", "{jwtRules: [{issuer: a}]}"),
    ("ServiceEntry", "{hosts: [a.net], resolution: DNS}"),
    ("Sidecar", '{outboundTrafficPolicy: {mode: REGISTRY_ONLY}}'),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "spec"), ACCEPTED)
def test_what_istiod_takes_is_taken_even_where_it_looks_wrong(kind: str, spec: str) -> None:
    assert accepted(document(kind, spec)).resources


WARNED = [
    ("VirtualService", f"{{hosts: [a], gateways: [g.ns.svc.cluster.local], http: [{{{ROUTE}}}]}}", "write ns/g"),
    ("VirtualService", f"{{hosts: [a], http: [{{{ROUTE}}}, {{match: [{{uri: {{prefix: /x}}}}], {ROUTE}}}]}}", "no call reaches"),
    ("VirtualService", f"{{hosts: [a], http: [{{match: [{{uri: {{prefix: /x}}}}, {{uri: {{prefix: /x/y}}}}], {ROUTE}}}]}}", "no call reaches"),
    ("DestinationRule", policy("outlierDetection: {consecutiveErrors: 5}"), "consecutive5xxErrors"),
    ("DestinationRule", policy("loadBalancer: {localityLbSetting: {failover: [{from: a, to: b}]}}"), "outlierDetection"),
    ("DestinationRule", "{host: a, workloadSelector: {}}", "no labels"),
    ("Gateway", server("tls: {mode: PASSTHROUGH, credentialName: c}"), "ignored"),
    ("Gateway", server("tls: {mode: SIMPLE, credentialName: c, minProtocolVersion: TLSV1_0}"), "needs cipherSuites"),
    ("Gateway", server("tls: {mode: SIMPLE, credentialName: c, cipherSuites: [NOPE]}"), 'no cipher suite "NOPE"'),
    ("AuthorizationPolicy", "{action: DENY, rules: [{to: [{operation: {methods: [GET]}}]}]}", "denies every connection"),
    ("Telemetry", "{tracing: [{providers: [{name: a}, {name: b}]}, {}]}", "only one tracing provider"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "spec", "words"), WARNED)
def test_where_istiod_warns_there_is_a_warning(kind: str, spec: str, words: str) -> None:
    assert words in " ".join(map(str, accepted(document(kind, spec)).warnings))


def test_a_sound_document_has_no_warnings() -> None:
    routes = f"[{{match: [{{uri: {{prefix: /x/y}}}}, {{uri: {{prefix: /x}}}}], {ROUTE}}}, {{{ROUTE}}}]"
    assert not accepted(document("VirtualService", f"{{hosts: [a], http: {routes}}}")).warnings


def test_dry_run_is_for_policies_that_allow_or_deny() -> None:
    text = document("AuthorizationPolicy", "{action: AUDIT, rules: [{}]}")
    text = text.replace("namespace: mesh", "namespace: mesh, annotations: {istio.io/dry-run: 'true'}")
    assert "not for AUDIT" in str(refused(text)[0])
    assert accepted(text.replace("AUDIT", "DENY")).resources
    assert 'not "maybe"' in str(refused(text.replace("AUDIT", "DENY").replace("'true'", "maybe"))[0])
