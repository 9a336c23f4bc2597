"""DestinationRules shape upstreams: which rule, and how its policies are laid together."""

from localmesh.mesh.upstreams import ConsistentHash, HashOn, Outliers, Simple, TlsMode
from tests.localmesh.resolve.base import (
    CHAT,
    POSTGRES,
    USER,
    forward_of,
    istio,
    mesh_of,
    pod_of,
    resolved,
    routes_of,
    upstream_of,
    whats,
)


def rule(spec: str, name: str = "user", namespace: str = "mesh", meta: str = "") -> str:
    return istio("DestinationRule", name, spec, namespace=namespace, meta=meta)


def connections(count: int) -> str:
    return f"trafficPolicy: {{connectionPool: {{tcp: {{maxConnections: {count}}}}}}}"


def test_without_a_rule_the_least_busy_endpoint_is_asked_and_mtls_is_automatic() -> None:
    upstream = upstream_of(pod_of(mesh_of()))
    assert (upstream.balancer, upstream.tls, upstream.auto_mtls) == (Simple.LEAST_REQUEST, None, True)
    assert (upstream.locality, upstream.outliers) == (None, None)


def test_a_subset_holds_the_endpoints_with_its_labels() -> None:
    mesh = mesh_of(rule("host: user\nsubsets: [{name: v2, labels: {version: v2}}]"))
    assert [end.pod for end in upstream_of(pod_of(mesh), subset="v2").endpoints] == ["user-v2-0"]
    assert len(upstream_of(pod_of(mesh)).endpoints) == 3


def test_a_consistent_hash_has_a_ring_of_1024_and_its_routes_hash() -> None:
    mesh = mesh_of(rule("host: chat\ntrafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: x-room}}}"))
    pod = pod_of(mesh)
    assert upstream_of(pod, CHAT).balancer == ConsistentHash(HashOn(header="x-room"), size=1024)
    assert forward_of(routes_of(pod, CHAT)[0]).hash_on == HashOn(header="x-room")


def test_the_hash_of_one_weighted_subset_is_the_whole_routes() -> None:
    written = rule("""
host: user
subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}, trafficPolicy: {loadBalancer: {consistentHash: {useSourceIp: true}}}}
""")
    route = istio(
        "VirtualService",
        "user",
        """
        hosts: [user]
        http:
          - route:
              - {destination: {host: user, subset: v2}, weight: 50}
              - {destination: {host: user, subset: v1}, weight: 50}
        """,
    )
    action = forward_of(routes_of(pod_of(mesh_of(written, route)))[0])
    assert action.hash_on == HashOn(source_ip=True)
    assert action.retry is not None
    assert action.retry.ignore_previous_hosts


def test_port_level_settings_replace_the_whole_policy_tls_included() -> None:
    written = rule("""
host: user
trafficPolicy:
  loadBalancer: {simple: RANDOM}
  tls: {mode: DISABLE}
  portLevelSettings: [{port: {number: 50051}, connectionPool: {tcp: {maxConnections: 5}}}]
""")
    pod = pod_of(mesh_of(written))
    grpc, metrics = upstream_of(pod), upstream_of(pod, port=9464)
    assert (grpc.balancer, grpc.tls, grpc.pool.max_connections) == (Simple.LEAST_REQUEST, None, 5)
    assert metrics.tls is not None
    assert (metrics.balancer, metrics.tls.mode) == (Simple.RANDOM, TlsMode.DISABLE)


def test_a_subset_inherits_field_by_field_and_also_the_ports_settings() -> None:
    written = rule("""
host: user
trafficPolicy:
  loadBalancer: {simple: RANDOM}
  portLevelSettings: [{port: {number: 50051}, loadBalancer: {simple: ROUND_ROBIN}}]
subsets:
  - {name: v1, labels: {version: v1}, trafficPolicy: {outlierDetection: {consecutive5xxErrors: 3}}}
  - name: v2
    labels: {version: v2}
    trafficPolicy: {portLevelSettings: [{port: {number: 50051}, outlierDetection: {consecutive5xxErrors: 4}}]}
""")
    pod = pod_of(mesh_of(written))
    first, second = upstream_of(pod, subset="v1"), upstream_of(pod, subset="v2")
    assert (first.balancer, first.outliers) == (Simple.ROUND_ROBIN, Outliers(consecutive_5xx=3))
    assert (second.balancer, second.outliers) == (Simple.LEAST_REQUEST, Outliers(consecutive_5xx=4))


def test_two_rules_for_a_host_unite_their_subsets_and_keep_the_oldest_policy() -> None:
    old = rule(
        f"host: user\n{connections(1)}\nsubsets: [{{name: v1, labels: {{version: v1}}}}]",
        "b",
        meta=", creationTimestamp: '2026-01-01T00:00:00Z'",
    )
    new = rule(
        f"host: user\n{connections(2)}\nsubsets: [{{name: v2, labels: {{version: v2}}}}]",
        "a",
        meta=", creationTimestamp: '2026-01-02T00:00:00Z'",
    )
    pod = pod_of(mesh_of(old, new))
    assert [upstream_of(pod, subset=name).pool.max_connections for name in ("", "v1", "v2")] == [1, 1, 1]


def test_the_most_specific_host_wins_and_wider_ones_add_nothing() -> None:
    wide = rule("host: '*.mesh.svc.cluster.local'\ntrafficPolicy: {loadBalancer: {simple: RANDOM}}", "wide")
    exact = rule(f"host: user\n{connections(3)}", "exact")
    pod = pod_of(mesh_of(wide, exact))
    assert (upstream_of(pod).balancer, upstream_of(pod).pool.max_connections) == (Simple.LEAST_REQUEST, 3)
    assert upstream_of(pod, CHAT).balancer is Simple.RANDOM


def test_the_clients_namespace_is_asked_first_then_the_services_then_the_root() -> None:
    host = "host: legacy.other.svc.cluster.local\n"
    root = rule(host + connections(1), "root", "istio-system")
    of_service = rule(host + connections(2), "service", "other")
    of_client = rule(host + connections(3), "client", "mesh")
    found = []
    for documents in ((root,), (root, of_service), (root, of_service, of_client)):
        pod = pod_of(mesh_of(*documents))
        found.append(upstream_of(pod, "legacy.other.svc.cluster.local", 8080).pool.max_connections)
    assert found == [1, 2, 3]


def test_a_rule_kept_to_its_namespace_does_not_reach_other_clients() -> None:
    written = rule(f"host: legacy\nexportTo: ['.']\n{connections(2)}", "private", "other")
    assert upstream_of(pod_of(mesh_of(written)), "legacy.other.svc.cluster.local", 8080).pool.max_connections is None


def test_a_workload_selector_chooses_the_client() -> None:
    chosen = rule(f"host: user\nworkloadSelector: {{matchLabels: {{app: chat}}}}\n{connections(9)}", "chosen")
    everyone = rule(f"host: user\n{connections(1)}", "everyone")
    mesh = mesh_of(chosen, everyone)
    assert upstream_of(pod_of(mesh)).pool.max_connections == 9
    assert upstream_of(pod_of(mesh, "mesh/postgres-0")).pool.max_connections == 1


def test_outlier_detection_alone_switches_locality_on() -> None:
    mesh = mesh_of(rule("host: user\ntrafficPolicy: {outlierDetection: {}}"))
    assert upstream_of(pod_of(mesh)).locality is not None
    assert upstream_of(pod_of(mesh), CHAT).locality is None


def test_a_tcp_idle_timeout_is_the_listeners() -> None:
    mesh = mesh_of(rule("host: postgres\ntrafficPolicy: {connectionPool: {tcp: {idleTimeout: 10m}}}", "postgres"))
    listener = next(each for each in pod_of(mesh).outbound.connections if each.service.host == POSTGRES)
    assert listener.idle_timeout == 600.0


def test_a_rule_on_the_own_service_shapes_inbound_calls_too() -> None:
    mesh = mesh_of(rule(f"host: {USER}\n{connections(7)}"))
    assert {each.pool.max_connections for each in pod_of(mesh, "mesh/user-v1-0").inbound} == {7}


def test_a_retry_budget_has_istios_defaults() -> None:
    budget = upstream_of(pod_of(mesh_of(rule("host: user\ntrafficPolicy: {retryBudget: {}}")))).retry_budget
    assert budget is not None
    assert (budget.percent, budget.minimum_concurrency) == (20.0, 3)


BY_SECRET = "host: user\ntrafficPolicy: {tls: {mode: SIMPLE, credentialName: ca}}\n"
CA = "apiVersion: v1\nkind: Secret\nmetadata: {name: ca, namespace: mesh}\nstringData: {ca.crt: ROOTS}\n---\n"


def test_a_rule_that_chooses_its_workloads_may_name_a_secret_beside_them() -> None:
    mesh = mesh_of(CA, rule(f"{BY_SECRET}workloadSelector: {{matchLabels: {{app: chat}}}}"))
    tls = upstream_of(pod_of(mesh)).tls
    assert tls is not None
    assert tls.credential_name == "ca"
    assert mesh.credentials["mesh/ca"].ca == b"ROOTS"


def test_a_secret_of_a_rule_for_every_client_is_for_gateways_only() -> None:
    """Sidecars call in plain, as istiod has it; without a gateway that serves something nobody looks for the Secret."""
    mesh = mesh_of(rule(BY_SECRET))
    tls = upstream_of(pod_of(mesh)).tls
    assert tls is not None
    assert tls.mode is TlsMode.DISABLE


def test_a_client_that_shows_a_certificate_needs_its_key() -> None:
    chosen = rule(f"{BY_SECRET}workloadSelector: {{matchLabels: {{app: chat}}}}").replace("SIMPLE", "MUTUAL")
    assert "Secret mesh/ca has no tls.crt and tls.key" in whats(resolved(CA, chosen).problems)
