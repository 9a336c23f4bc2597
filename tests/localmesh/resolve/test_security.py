"""PeerAuthentication, AuthorizationPolicy and RequestAuthentication: which apply to a pod, and in what order."""

from localmesh.mesh import Mesh
from localmesh.mesh.security import Action, Mtls
from tests.localmesh.resolve.base import USER, istio, mesh_of, pod_of, resolved, service_of, upstream_of, whats

ROOT = "istio-system"
CHAT_ONLY = "selector: {matchLabels: {app: chat}}\n"


def peer(spec: str, name: str = "default", namespace: str = "mesh", meta: str = "") -> str:
    return istio("PeerAuthentication", name, spec, namespace=namespace, group="security", meta=meta)


def access(spec: str, name: str, namespace: str = "mesh", meta: str = "") -> str:
    return istio("AuthorizationPolicy", name, spec, namespace=namespace, group="security", meta=meta)


def modes(mesh: Mesh, key: str = "mesh/chat-0") -> dict[int, Mtls]:
    return {each.port: each.mtls for each in pod_of(mesh, key).inbound}


def test_without_a_policy_both_kinds_of_connection_are_taken() -> None:
    assert set(modes(mesh_of()).values()) == {Mtls.PERMISSIVE}


def test_workload_counts_before_namespace_and_namespace_before_mesh() -> None:
    mesh = mesh_of(
        peer("mtls: {mode: DISABLE}", namespace=ROOT),
        peer("mtls: {mode: STRICT}"),
        peer(CHAT_ONLY + "mtls: {mode: PERMISSIVE}", "chat"),
    )
    assert set(modes(mesh).values()) == {Mtls.PERMISSIVE}
    assert set(modes(mesh, "mesh/user-v1-0").values()) == {Mtls.STRICT}


def test_an_unset_mode_inherits() -> None:
    mesh = mesh_of(peer("mtls: {mode: STRICT}", namespace=ROOT), peer("mtls: {mode: UNSET}"))
    assert pod_of(mesh).default_mtls is Mtls.STRICT


def test_port_level_is_keyed_by_the_workloads_port_and_unknown_ports_pass_through() -> None:
    mesh = mesh_of(
        peer(CHAT_ONLY + "mtls: {mode: STRICT}\nportLevelMtls: {9464: {mode: DISABLE}, 7777: {mode: PERMISSIVE}}")
    )
    assert modes(mesh) == {9464: Mtls.DISABLE, 50051: Mtls.STRICT, 7777: Mtls.PERMISSIVE}
    assert [each.port for each in pod_of(mesh).inbound if each.passthrough] == [7777]


def test_the_oldest_of_two_policies_for_a_workload_counts() -> None:
    mesh = mesh_of(
        peer(CHAT_ONLY + "mtls: {mode: DISABLE}", "a", meta=", creationTimestamp: '2026-02-01T00:00:00Z'"),
        peer(CHAT_ONLY + "mtls: {mode: STRICT}", "b", meta=", creationTimestamp: '2026-01-01T00:00:00Z'"),
    )
    assert pod_of(mesh).default_mtls is Mtls.STRICT


def test_a_peer_authentication_with_a_selector_in_the_root_namespace_reaches_nobody() -> None:
    assert pod_of(mesh_of(peer(CHAT_ONLY + "mtls: {mode: STRICT}", "chat", ROOT))).default_mtls is Mtls.PERMISSIVE


def test_a_server_that_disables_mtls_is_called_without_it_while_the_cluster_stays_automatic() -> None:
    mesh = mesh_of(peer("selector: {matchLabels: {version: v2}}\nmtls: {mode: DISABLE}", "v2"))
    assert [end.mtls for end in service_of(mesh, USER).endpoints[50051]] == [True, True, False]
    assert upstream_of(pod_of(mesh)).auto_mtls


def test_mtls_disabled_for_the_mesh_switches_auto_mtls_off() -> None:
    assert not upstream_of(pod_of(mesh_of(peer("mtls: {mode: DISABLE}", namespace=ROOT)))).auto_mtls


def test_policies_come_in_order_of_level_and_age_and_selectors_choose() -> None:
    mesh = mesh_of(
        access("{}", "deny-all"),
        access("action: DENY\n" + CHAT_ONLY + "rules: [{to: [{operation: {paths: [/x]}}]}]", "a-chat"),
        access("selector: {matchLabels: {app: user}}\nrules: [{}]", "user"),
        access("action: AUDIT\nselector: {matchLabels: {app: chat}}\nrules: [{}]", "root", ROOT),
    )
    found = pod_of(mesh).access
    assert [each.name for each in found] == ["root", "a-chat", "deny-all"]
    assert [each.action for each in found] == [Action.AUDIT, Action.DENY, Action.ALLOW]
    assert found[2].rules == ()


def test_a_rule_keeps_its_lists_and_a_dry_run_its_mark() -> None:
    spec = """
rules:
  - from: [{source: {principals: [a], notNamespaces: [b]}}]
    to: [{operation: {methods: [POST], paths: [/x/*]}}]
    when: [{key: "request.headers[x]", notValues: ["1"]}]
"""
    (policy,) = pod_of(mesh_of(access(spec, "p", meta=", annotations: {istio.io/dry-run: 'true'}"))).access
    (rule,) = policy.rules
    assert policy.dry_run
    assert (rule.sources[0].principals, rule.sources[0].not_namespaces) == (("a",), ("b",))
    assert (rule.operations[0].paths, rule.conditions[0].not_values) == (("/x/*",), ("1",))


def test_a_grpc_method_as_an_http_method_is_a_warning() -> None:
    found = resolved(access("rules: [{to: [{operation: {methods: [/pkg.Svc/Get]}}]}]", "p"))
    assert "is no HTTP method" in whats(found.warnings)
    assert "paths: [/pkg.Svc/Get]" in whats(found.warnings)


def test_a_custom_provider_that_the_mesh_does_not_know_is_a_problem() -> None:
    spec = "action: CUSTOM\nprovider: {name: authz}\nrules: [{}]"
    assert "no extension provider 'authz'" in whats(resolved(access(spec, "p")).problems)


def test_a_selector_without_pods_is_a_warning() -> None:
    found = resolved(access("selector: {matchLabels: {app: caht}}\nrules: [{}]", "p"))
    assert "no pod of mesh has these labels" in whats(found.warnings)


def test_token_rules_of_all_levels_are_combined_by_issuer() -> None:
    def tokens(issuer: str, name: str, namespace: str, selector: str = "") -> str:
        keys = """jwks: '{"keys":[{"kty":"oct","k":"a2V5"}]}'"""
        rule = f"{selector}jwtRules: [{{issuer: {issuer}, {keys}, fromHeaders: [{{name: x-jwt, prefix: 'T '}}]}}]"
        return istio("RequestAuthentication", name, rule, namespace=namespace, group="security")

    mesh = mesh_of(tokens("c", "a", ROOT), tokens("a", "b", "mesh"), tokens("b", "c", "mesh", CHAT_ONLY))
    assert [rule.issuer for rule in pod_of(mesh).jwt] == ["a", "b", "c"]
    assert [rule.issuer for rule in pod_of(mesh, "mesh/user-v1-0").jwt] == ["a", "c"]
    assert pod_of(mesh).jwt[0].from_headers[0].prefix == "T "
