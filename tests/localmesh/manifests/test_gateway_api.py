"""Documents of the Gateway API: what the API server fills in, and what its schemas refuse."""

import pytest

from localmesh.manifests.gateway_api import Gateway, GRPCRoute, HTTPRoute, ReferenceGrant
from tests.localmesh.manifests.documents import accepted, refused


def document(kind: str, spec: str, version: str = "v1") -> str:
    return (
        f"apiVersion: gateway.networking.k8s.io/{version}\nkind: {kind}\n"
        f"metadata: {{name: it, namespace: mesh}}\nspec: {spec}\n"
    )


def http(rule: str) -> str:
    return document("HTTPRoute", f"{{parentRefs: [{{name: edge}}], rules: [{{{rule}}}]}}")


def grpc(rule: str) -> str:
    return document("GRPCRoute", f"{{parentRefs: [{{name: edge}}], rules: [{{{rule}}}]}}")


def gateway(listener: str) -> str:
    return document("Gateway", f"{{gatewayClassName: istio, listeners: [{{name: it, {listener}}}]}}")


BACKEND = "backendRefs: [{name: user, port: 80}]"


def test_what_is_left_out_has_the_value_that_the_api_server_gives_it() -> None:
    (route,) = accepted(http(BACKEND)).of(HTTPRoute)
    parent, rule = route.spec.parent_refs[0], route.spec.rules[0]
    assert (parent.group, parent.kind) == ("gateway.networking.k8s.io", "Gateway")
    assert (rule.matches[0].path.type, rule.matches[0].path.value) == ("PathPrefix", "/")
    backend = rule.backend_refs[0]
    assert (backend.group, backend.kind, backend.weight) == ("", "Service", 1)
    (opened,) = accepted(gateway("port: 80, protocol: HTTP")).of(Gateway)
    assert opened.spec.listeners[0].allowed_routes.namespaces.from_ == "Same"
    filters = "filters: [{type: RequestRedirect, requestRedirect: {hostname: a.example.com}}]"
    (redirecting,) = accepted(http(filters)).of(HTTPRoute)
    redirect = redirecting.spec.rules[0].filters[0].request_redirect
    assert redirect is not None
    assert redirect.status_code == 302


def test_a_match_of_headers_alone_is_of_every_path_and_a_grpc_rule_needs_no_match() -> None:
    (route,) = accepted(http(f"matches: [{{headers: [{{name: x-a, value: b}}]}}], {BACKEND}")).of(HTTPRoute)
    assert route.spec.rules[0].matches[0].path.value == "/"
    assert route.spec.rules[0].matches[0].headers[0].type == "Exact"
    (calls,) = accepted(grpc(BACKEND)).of(GRPCRoute)
    assert calls.spec.rules[0].matches == ()


def test_reference_grants_are_read_in_both_versions() -> None:
    spec = "{from: [{group: a, kind: B, namespace: c}], to: [{group: '', kind: Secret}]}"
    for version in ("v1", "v1beta1"):
        (grant,) = accepted(document("ReferenceGrant", spec, version)).of(ReferenceGrant)
        assert (grant.spec.from_[0].namespace, grant.spec.to[0].name) == ("c", None)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (http(f"matches: [{{path: {{value: a}}}}], {BACKEND}"), '"a" is no path'),
        (http(f"matches: [{{path: {{value: /a//b}}}}], {BACKEND}"), "as they are normalised"),
        (http(f"matches: [{{path: {{type: RegularExpression, value: '(a'}}}}], {BACKEND}"), "(a"),
        (http("backendRefs: [{name: user}]"), "has no port"),
        (http("backendRefs: [{name: user.mesh, port: 80}]"), "is not the name of a Service"),
        (http("backendRefs: [{name: user, port: 80, weight: -1}]"), "-1 is not a weight"),
        (http(f"filters: [{{type: RequestMirror}}], {BACKEND}"), "needs requestMirror"),
        (http(f"filters: [{{type: CORS, cors: {{allowOrigins: ['*']}}}}], {BACKEND}"), "a wildcard matches nobody"),
        (http(f"filters: [{{type: RequestRedirect, requestRedirect: {{}}}}], {BACKEND}"), "has no backendRefs"),
        (http(f"timeouts: {{request: 1s, backendRequest: 2s}}, {BACKEND}"), "longer than the request in all"),
        (http(f"retry: {{codes: [200]}}, {BACKEND}"), "200 is not a status to retry"),
        (http(f"mathces: [], {BACKEND}"), 'HTTPRouteRule has no field "mathces"'),
        (grpc(f"matches: [{{method: {{}}}}], {BACKEND}"), "names service, method or both"),
        (grpc(f"matches: [{{method: {{service: /a.B}}}}], {BACKEND}"), 'has a "/"'),
        (document("HTTPRoute", "{hostnames: ['10.0.0.1'], parentRefs: [{name: a}]}"), "is an address"),
        (document("HTTPRoute", "{rules: []}"), "no parentRefs"),
        (document("Gateway", "{gatewayClassName: istio}"), "no listeners"),
        (gateway("port: 443, protocol: HTTPS"), "needs tls"),
        (gateway("port: 443, protocol: HTTPS, tls: {}"), "needs certificateRefs"),
        (gateway("port: 80, protocol: HTTP, tls: {certificateRefs: [{name: a}]}"), "has no tls"),
        (gateway("port: 80, protocol: HTTP, hostname: '*'"), "leave hostname out"),
        (gateway("port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: Selector}}"), "needs a selector"),
    ],
)
def test_what_the_schemas_refuse_is_refused_with_its_place(text: str, what: str) -> None:
    problems = refused(text)
    assert what in problems[0].what
    assert problems[0].where.line


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (http(f"sessionPersistence: {{}}, {BACKEND}"), "sessionPersistence"),
        (http(f"filters: [{{type: ExtensionRef, extensionRef: {{name: a}}}}], {BACKEND}"), "extensionRef"),
        (document("Gateway", "{gatewayClassName: istio, listeners: [], allowedListeners: {}}"), "allowedListeners"),
        (gateway("port: 443, protocol: HTTPS, tls: {frontendValidation: {}}"), "frontendValidation"),
    ],
)
def test_fields_that_need_a_cluster_are_refused_by_name(text: str, field: str) -> None:
    assert f"{field} runs in the cluster, not locally" in [each.what for each in refused(text)]


def test_a_prefix_is_replaced_only_where_exactly_one_was_matched() -> None:
    rewrite = "filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /b}}}]"
    assert accepted(http(f"matches: [{{path: {{value: /a}}}}], {rewrite}, {BACKEND}"))
    (problem,) = refused(http(f"matches: [{{path: {{type: Exact, value: /a}}}}], {rewrite}, {BACKEND}"))
    assert "exactly one match, by PathPrefix" in problem.what
    (missing,) = refused(http(f"{rewrite.replace('replacePrefixMatch: /b', 'replaceFullPath: /b')}, {BACKEND}"))[:1]
    assert "type ReplacePrefixMatch" in missing.what
