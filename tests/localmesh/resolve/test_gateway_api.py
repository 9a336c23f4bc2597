"""The Gateway API at the gateway: listeners, attachment, precedence, filters, grants, and what is deployed for it."""

from localmesh.mesh.pods import Pod, Proxy
from localmesh.mesh.routes import HttpRoute, Redirect, Respond, Text, VirtualHost
from localmesh.mesh.services import Endpoint
from tests.localmesh.resolve.base import (
    CHAT,
    LEGACY,
    USER,
    forward_of,
    istio,
    mesh_of,
    pod_of,
    resolved,
    routes_of,
    service_of,
    table_of,
    targets_of,
    whats,
)

USERS = "backendRefs: [{name: user, port: 50051}]"
CHATS = "backendRefs: [{name: chat, port: 50051}]"
SECRET = """
apiVersion: v1
kind: Secret
metadata: {name: cert, namespace: %s}
stringData: {tls.crt: CERTIFICATE, tls.key: KEY}
"""


def document(kind: str, name: str, spec: str, namespace: str = "mesh", meta: str = "") -> str:
    return istio(kind, name, spec, namespace=namespace, meta=meta).replace(
        "networking.istio.io", "gateway.networking.k8s.io"
    )


def gateway(listeners: str = "{name: http, port: 80, protocol: HTTP}", name: str = "edge", more: str = "") -> str:
    return document("Gateway", name, f"gatewayClassName: istio\nlisteners: [{listeners}]{more}")


def route(
    *rules: str,
    name: str = "r",
    hosts: str = "a.example.com",
    kind: str = "HTTPRoute",
    parent: str = "name: edge",
    namespace: str = "mesh",
    meta: str = "",
) -> str:
    head = f"parentRefs: [{{{parent}}}]\n" + (f"hostnames: [{hosts}]\n" if hosts else "")
    return document(kind, name, f"{head}rules: [{', '.join('{' + each + '}' for each in rules)}]", namespace, meta)


def edge(*documents: str) -> Pod:
    return pod_of(mesh_of(*documents), "mesh/edge-istio-0")


def hosts_of(pod: Pod, table: str = "http.80") -> dict[str, VirtualHost]:
    return {each.name: each for each in table_of(pod, table).virtual_hosts}


def made(*rules: str, kind: str = "HTTPRoute") -> tuple[HttpRoute, ...]:
    return hosts_of(edge(gateway(), route(*rules, kind=kind)))["a.example.com:80"].routes


def paths(routes: tuple[HttpRoute, ...]) -> list[tuple[Text, str] | None]:
    return [None if each.match.path is None else (each.match.path.how, each.match.path.value) for each in routes]


def test_a_gateway_is_deployed_with_a_service_and_an_account_of_its_own() -> None:
    mesh = mesh_of(gateway("{name: http, port: 80, protocol: HTTP}, {name: more, port: 8081, protocol: HTTP}"))
    pod = pod_of(mesh, "mesh/edge-istio-0")
    assert (pod.proxy, pod.identity.service_account) == (Proxy.GATEWAY, "edge-istio")
    assert [(each.port, each.route_table) for each in pod.servers] == [(80, "http.80"), (8081, "http.8081")]
    service = service_of(mesh, "edge-istio.mesh.svc.cluster.local")
    assert [each.number for each in service.ports] == [15021, 80, 8081]
    (endpoint,) = service.endpoints[80]
    assert isinstance(endpoint, Endpoint)
    assert not endpoint.mtls


def test_a_gateway_with_the_address_of_a_service_is_opened_by_the_pods_behind_it_and_not_deployed() -> None:
    mesh = mesh_of(gateway(more="\naddresses: [{type: Hostname, value: gateway}]"))
    assert mesh.pod("mesh/edge-istio-0") is None
    (server,) = pod_of(mesh, "mesh/gateway-0").servers
    assert (server.service_port, server.port) == (80, 8080)


def test_an_address_that_is_no_service_is_a_problem() -> None:
    found = resolved(gateway(more="\naddresses: [{type: Hostname, value: gatewey}]"))
    assert "there is no service gatewey.mesh.svc.cluster.local: nothing opens this Gateway" in whats(found.problems)


def test_a_listener_whose_port_the_service_does_not_have_is_not_opened() -> None:
    listener = "{name: odd, port: 9999, protocol: HTTP}"
    mesh = mesh_of(gateway(listener, more="\naddresses: [{type: Hostname, value: gateway}]"))
    assert pod_of(mesh, "mesh/gateway-0").servers == ()


def test_a_class_of_another_controller_is_refused_by_name() -> None:
    other = document("GatewayClass", "x", "controllerName: example.com/x").replace(", namespace: mesh", "")
    text = gateway().replace("gatewayClassName: istio", "gatewayClassName: x")
    assert "the class x is valid in the Gateway API but not supported" in whats(resolved(other, text).problems)


def test_a_rule_without_matches_takes_every_path_and_a_backend_without_kind_is_a_service() -> None:
    (only,) = made(USERS)
    assert only.match.is_catch_all
    assert targets_of(only) == [(USER, 50051, "", 0)]


def test_exact_comes_before_prefix_the_longer_before_the_shorter_and_a_regex_last() -> None:
    rules = (
        f"matches: [{{path: {{type: RegularExpression, value: /a/very/long/one.*}}}}], {USERS}",
        f"matches: [{{path: {{value: /a}}, method: GET}}], {USERS}",
        f"matches: [{{path: {{value: /a/b/}}}}], {USERS}",
        f"matches: [{{path: {{type: Exact, value: /a}}}}], {USERS}",
    )
    assert paths(made(*rules)) == [
        (Text.EXACT, "/a"),
        (Text.SEGMENTS, "/a/b"),
        (Text.SEGMENTS, "/a"),
        (Text.REGEX, "/a/very/long/one.*"),
    ]


def test_of_equal_paths_a_method_counts_before_headers_and_headers_before_query_parameters() -> None:
    conditions = (
        "",
        "queryParams: [{name: q, value: '1'}, {name: r, value: '1'}]",
        "headers: [{name: x-a, value: b}]",
        "method: POST",
    )
    matches = (f"{{path: {{value: /a}}{', ' + each if each else ''}}}" for each in conditions)
    found = made(*(f"matches: [{each}], {USERS}" for each in matches))
    assert [(each.match.method is not None, len(each.match.headers), len(each.match.query)) for each in found] == [
        (True, 0, 0),
        (False, 1, 0),
        (False, 0, 2),
        (False, 0, 0),
    ]


def test_a_regex_behind_the_prefix_of_everything_is_never_reached_and_left_out() -> None:
    regex = f"matches: [{{path: {{type: RegularExpression, value: /r/.*}}}}], {USERS}"
    assert paths(made(regex, CHATS)) == [(Text.PREFIX, "/")]


def test_routes_of_several_documents_for_one_host_are_sorted_together_the_older_first() -> None:
    old = ", creationTimestamp: '2026-01-01T00:00:00Z'"
    young = ", creationTimestamp: '2026-02-01T00:00:00Z'"
    one = f"matches: [{{path: {{value: /a}}}}], {USERS}"
    two = f"matches: [{{path: {{value: /a}}}}, {{path: {{value: /a/b}}}}], {CHATS}"
    pod = edge(gateway(), route(two, name="a", meta=young), route(one, name="b", meta=old))
    found = hosts_of(pod)["a.example.com:80"].routes
    assert [each.name for each in found] == ["mesh.a.0", "mesh.b.0", "mesh.a.0"]


def test_weights_are_kept_a_weight_of_nothing_is_left_out_and_no_weight_at_all_answers_500() -> None:
    split, one, none = made(
        "matches: [{path: {value: /s}}], backendRefs: [{name: user, port: 9464, weight: 3}, {name: chat, port: 50051}]",
        "matches: [{path: {value: /o}}], backendRefs: [{name: user, port: 9464, weight: 0}, {name: chat, port: 50051}]",
        "matches: [{path: {value: /n}}], backendRefs: [{name: user, port: 9464, weight: 0}]",
    )
    assert targets_of(split) == [(USER, 9464, "", 3), (CHAT, 50051, "", 1)]
    assert targets_of(one) == [(CHAT, 50051, "", 0)]
    assert none.action == Respond(500)


def test_a_backend_that_is_no_service_is_a_problem_and_answers_500() -> None:
    found = resolved(gateway(), route("backendRefs: [{name: userr, port: 50051}]"))
    assert "there is no service userr.mesh.svc.cluster.local (did you mean 'user.mesh" in whats(found.problems)
    (only,) = hosts_of(pod_of(found.mesh, "mesh/edge-istio-0"))["a.example.com:80"].routes
    assert forward_of(only).unknown_is_500


def test_a_backend_of_another_namespace_needs_a_grant_there() -> None:
    far = route("backendRefs: [{name: legacy, namespace: other, port: 8080}]")
    grant = document(
        "ReferenceGrant",
        "g",
        "from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: mesh}]\n"
        "to: [{group: '', kind: Service}]",
        "other",
    )
    found = resolved(gateway(), far)
    assert "Service other/legacy may not be used from namespace mesh" in whats(found.problems)
    (refused,) = hosts_of(pod_of(found.mesh, "mesh/edge-istio-0"))["a.example.com:80"].routes
    assert targets_of(refused) == [("", 80, "", 0)]
    (granted,) = hosts_of(edge(gateway(), far, grant))["a.example.com:80"].routes
    assert targets_of(granted) == [(LEGACY, 8080, "", 0)]
    for_grpc = resolved(gateway(), grant, far.replace("kind: HTTPRoute", "kind: GRPCRoute"))
    assert "may not be used" in whats(for_grpc.problems)


def test_a_route_of_another_namespace_attaches_where_the_listener_allows_it() -> None:
    far = route("backendRefs: [{name: legacy, port: 8080}]", namespace="other", parent="name: edge, namespace: mesh")
    denied = resolved(gateway(), far)
    assert "allowedRoutes take no route of namespace other" in whats(denied.problems)
    for namespaces in (
        "{from: All}",
        "{from: Selector, selector: {matchLabels: {kubernetes.io/metadata.name: other}}}",
    ):
        listener = f"{{name: http, port: 80, protocol: HTTP, allowedRoutes: {{namespaces: {namespaces}}}}}"
        space = "apiVersion: v1\nkind: Namespace\nmetadata: {name: other}\n"
        assert "a.example.com:80" in hosts_of(edge(gateway(listener), far, space))


def test_a_route_attaches_to_the_listener_that_it_names_by_section_or_port() -> None:
    two = gateway("{name: one, port: 80, protocol: HTTP}, {name: two, port: 81, protocol: HTTP}")
    for parent in ("name: edge, sectionName: two", "name: edge, port: 81"):
        pod = edge(two, route(USERS, parent=parent))
        assert list(hosts_of(pod)) == ["blackhole:80"]
        assert list(hosts_of(pod, "http.81")) == ["a.example.com:81"]
    found = resolved(two, route(USERS, parent="name: edge, sectionName: three"))
    assert "no listener of Gateway mesh/edge takes this route" in whats(found.problems)
    assert "there is no Gateway mesh/edgy" in whats(resolved(two, route(USERS, parent="name: edgy")).problems)


def test_hosts_are_the_narrower_of_the_listeners_and_the_routes() -> None:
    listener = "{name: http, port: 80, protocol: HTTP, hostname: '*.example.com'}"
    pod = edge(
        gateway(listener), route(USERS, hosts="a.example.com, b.example.org"), route(USERS, name="all", hosts="")
    )
    assert set(hosts_of(pod)) == {"a.example.com:80", "*.example.com:80"}


def test_a_host_belongs_to_the_narrowest_listener_of_a_port() -> None:
    wide = "{name: wide, port: 80, protocol: HTTP, hostname: '*.example.com'}"
    narrow = "{name: narrow, port: 80, protocol: HTTP, hostname: a.example.com}"
    both = gateway(f"{wide}, {narrow}")
    assert hosts_of(edge(both, route(USERS, parent="name: edge, sectionName: wide"))).keys() == {"blackhole:80"}
    assert "a.example.com:80" in hosts_of(edge(both, route(USERS, parent="name: edge, sectionName: narrow")))


def test_filters_change_headers_host_and_path() -> None:
    (only,) = made(
        "matches: [{path: {value: /a}}], filters: ["
        "{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: X-S, value: '1'}], remove: [x-r]}}, "
        "{type: ResponseHeaderModifier, responseHeaderModifier: {add: [{name: x-b, value: '2'}]}}, "
        "{type: URLRewrite, urlRewrite: {hostname: in.example.com, "
        "path: {type: ReplacePrefixMatch, replacePrefixMatch: /b/}}}], " + USERS
    )
    assert only.request_headers.set == (("x-s", "1"),)
    assert only.request_headers.remove == ("x-r",)
    assert only.response_headers.add == (("x-b", "2"),)
    rewrite = forward_of(only).rewrite
    assert rewrite is not None
    assert (rewrite.path, rewrite.authority) == ("/b", "in.example.com")


def test_a_prefix_that_is_replaced_by_nothing_leaves_one_slash() -> None:
    filters = "filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}]"
    (only,) = made(f"matches: [{{path: {{value: /a.b}}}}], {filters}, {USERS}")
    rewrite = forward_of(only).rewrite
    assert rewrite is not None
    assert (rewrite.path, rewrite.regex, rewrite.regex_substitution) == (None, r"^/a\.b(/?)(.*)", r"/\2")


def test_redirects_keep_what_they_do_not_change_and_are_302_unless_they_say_otherwise() -> None:
    def redirected(fields: str) -> Redirect:
        rule = "matches: [{path: {value: /a}}], filters: [{type: RequestRedirect, requestRedirect: {%s}}]"
        (only,) = hosts_of(
            edge(gateway("{name: http, port: 8080, protocol: HTTP}"), route(rule % fields)), "http.8080"
        )["a.example.com:8080"].routes
        assert isinstance(only.action, Redirect)
        return only.action

    plain = redirected("hostname: b.example.com")
    assert (plain.authority, plain.port, plain.scheme, plain.code) == ("b.example.com", 8080, "", 302)
    assert redirected("scheme: https, statusCode: 301").port is None
    assert redirected("path: {type: ReplacePrefixMatch, replacePrefixMatch: /n}").path_prefix == "/n"
    assert redirected("path: {type: ReplaceFullPath, replaceFullPath: /n}").path == "/n"


def test_a_redirect_names_no_port_that_its_scheme_has_anyway() -> None:
    rule = "filters: [{type: RequestRedirect, requestRedirect: {hostname: b.example.com}}]"
    (only,) = made(rule)
    assert isinstance(only.action, Redirect)
    assert only.action.port is None


def test_mirrors_have_a_share_and_several_are_kept() -> None:
    mirror = "{type: RequestMirror, requestMirror: {backendRef: {name: chat, port: 50051}%s}}"
    filters = ", ".join(mirror % each for each in ("", ", percent: 20", ", fraction: {numerator: 1, denominator: 8}"))
    (only,) = made(f"filters: [{filters}], {USERS}")
    assert [(each.target.host, each.percent, each.percent_is_whole) for each in forward_of(only).mirrors] == [
        (CHAT, 100.0, True),
        (CHAT, 20.0, False),
        (CHAT, 12.5, False),
    ]


def test_the_limit_of_a_try_is_that_of_the_request_unless_there_are_retries() -> None:
    both, alone, off = made(
        f"matches: [{{path: {{value: /b}}}}], timeouts: {{request: 10s, backendRequest: 2s}}, "
        f"retry: {{codes: [503]}}, {USERS}",
        f"matches: [{{path: {{value: /a}}}}], timeouts: {{backendRequest: 2s}}, {USERS}",
        f"matches: [{{path: {{value: /0}}}}], timeouts: {{request: 0s}}, retry: {{attempts: 0}}, {USERS}",
    )[:3]
    found = {each.match.path.value: forward_of(each) for each in (both, alone, off) if each.match.path}
    assert found["/b"].timeout == 10.0
    retry = found["/b"].retry
    assert retry is not None
    assert (retry.attempts, retry.per_try_timeout, retry.status_codes) == (2, 2.0, (503,))
    assert found["/a"].timeout == 2.0
    assert (found["/0"].timeout, found["/0"].retry) == (None, None)


def test_grpc_methods_are_paths() -> None:
    methods = ("service: a.B, method: C", "service: a.B", "method: C", "type: RegularExpression, service: 'a.*'")
    found = made(*(f"matches: [{{method: {{{each}}}}}], {USERS}" for each in methods), USERS, kind="GRPCRoute")
    assert paths(found) == [
        (Text.EXACT, "/a.B/C"),
        (Text.SEGMENTS, "/a.B"),
        (Text.REGEX, "/[^/]+/C"),
        (Text.REGEX, "/a.*/.+"),
        None,
    ]


def test_of_an_http_and_a_grpc_route_for_one_host_the_http_route_has_it() -> None:
    found = resolved(gateway(), route(USERS), route(CHATS, name="g", kind="GRPCRoute"))
    (only,) = hosts_of(pod_of(found.mesh, "mesh/edge-istio-0"))["a.example.com:80"].routes
    assert targets_of(only)[0][0] == USER
    assert "this GRPCRoute is not used there" in whats(found.warnings)


HTTPS = "{name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: cert%s}]}}"


def test_a_listener_ends_tls_with_the_secret_that_it_names() -> None:
    mesh = mesh_of(gateway(HTTPS % ""), SECRET % "mesh")
    (server,) = pod_of(mesh, "mesh/edge-istio-0").servers
    assert server.tls is not None
    assert (server.tls.mode, server.tls.credential_name) == ("SIMPLE", "kubernetes-gateway://mesh/cert")
    assert mesh.credentials["mesh/cert"].private_key == b"KEY"


def test_a_secret_of_another_namespace_needs_a_grant_and_without_one_nothing_is_opened() -> None:
    text = gateway(HTTPS % ", namespace: other")
    found = resolved(text, SECRET % "other")
    assert "Secret other/cert may not be used from namespace mesh" in whats(found.problems)
    assert pod_of(found.mesh, "mesh/edge-istio-0").servers == ()
    grant = document(
        "ReferenceGrant",
        "g",
        "from: [{group: gateway.networking.k8s.io, kind: Gateway, namespace: mesh}]\n"
        "to: [{group: '', kind: Secret, name: cert}]",
        "other",
    )
    assert mesh_of(text, SECRET % "other", grant).credentials["other/cert"].certificate == b"CERTIFICATE"


def test_protocols_that_are_not_compiled_are_refused_by_name() -> None:
    found = resolved(gateway("{name: tcp, port: 5432, protocol: TCP}"))
    assert "protocol TCP is valid in the Gateway API but not supported" in whats(found.problems)


def test_a_route_whose_parent_is_a_service_acts_on_calls_to_it_in_the_mesh() -> None:
    rule = f"matches: [{{path: {{value: /a}}}}], {CHATS}"
    (only,) = routes_of(pod_of(mesh_of(route(rule, hosts="", parent="group: '', kind: Service, name: user"))))
    assert (only.match.path is not None and only.match.path.how, targets_of(only)) == (
        Text.SEGMENTS,
        [(CHAT, 50051, "", 0)],
    )


def test_a_parent_with_a_port_acts_on_that_port_only() -> None:
    mesh = mesh_of(route(CHATS, hosts="", parent="group: '', kind: Service, name: user, port: 9464"))
    assert [each.name for each in routes_of(pod_of(mesh))] == ["default"]
    assert targets_of(routes_of(pod_of(mesh), port=9464)[0]) == [(CHAT, 50051, "", 0)]


def test_a_route_of_the_callers_namespace_is_for_these_callers_and_needs_no_grant() -> None:
    to_legacy = "group: '', kind: Service, name: legacy, namespace: other"
    mesh = mesh_of(route(CHATS, hosts="", parent=to_legacy))
    assert targets_of(routes_of(pod_of(mesh), LEGACY, 8080)[0]) == [(CHAT, 50051, "", 0)]
    own = route("backendRefs: [{name: legacy, port: 8080, weight: 5}]", hosts="", parent=to_legacy, namespace="other")
    theirs = mesh_of(route(CHATS, hosts="", parent=to_legacy), own)
    assert targets_of(routes_of(pod_of(theirs), LEGACY, 8080)[0])[0][0] == CHAT
    assert "there is no Service mesh/nobody" in whats(
        resolved(route(CHATS, hosts="", parent="group: '', kind: Service, name: nobody")).problems
    )
