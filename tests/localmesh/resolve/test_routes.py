"""VirtualServices become routes, for each client and port. Facts are named as in the reference's own cases."""

from localmesh.mesh.routes import Redirect, Respond, Text
from tests.localmesh.resolve.base import (
    CHAT,
    LEGACY,
    POSTGRES,
    USER,
    forward_of,
    host_of,
    istio,
    mesh_of,
    pod_of,
    routes_of,
    table_of,
    targets_of,
)

DEFAULT_ON = ("connect-failure", "refused-stream", "unavailable", "cancelled", "retriable-status-codes")
TO_USER = "route: [{destination: {host: user, port: {number: 50051}}}]"
SUBSETS = istio(
    "DestinationRule",
    "user",
    """
    host: user
    subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]
    """,
)


def vs(spec: str, name: str = "user", **options: str) -> str:
    return istio("VirtualService", name, spec, **options)


def http(routes: str, hosts: str = "[user]") -> str:
    return vs(f"hosts: {hosts}\nhttp:\n{routes}")


def test_without_a_virtual_service_a_service_is_tried_three_times_without_a_time_limit() -> None:
    (route,) = routes_of(pod_of(mesh_of()))
    action = forward_of(route)
    assert (route.name, targets_of(route), action.timeout) == ("default", [(USER, 50051, "", 0)], None)
    assert action.retry is not None
    assert (action.retry.attempts, action.retry.on, action.retry.status_codes) == (2, DEFAULT_ON, ())


def test_tables_are_named_by_port_and_hosts_by_name_and_port_in_order() -> None:
    pod = pod_of(mesh_of())
    assert [table.name for table in pod.outbound.route_tables] == ["80", "8080", "9464", "50051"]
    assert [host.name for host in table_of(pod).virtual_hosts] == [f"{CHAT}:50051", f"{USER}:50051"]


def test_a_service_of_the_own_namespace_has_a_short_name_and_another_has_none() -> None:
    pod = pod_of(mesh_of())
    address = host_of(pod, f"{USER}:50051").domains[-1]
    assert host_of(pod, f"{USER}:50051").domains == (USER, f"{USER}.", "user", "user.mesh.svc", "user.mesh", address)
    assert host_of(pod, f"{LEGACY}:8080", "8080").domains[:4] == (
        LEGACY,
        f"{LEGACY}.",
        "legacy.other",
        "legacy.other.svc",
    )


def test_a_match_gives_a_route_each_and_their_names_are_joined() -> None:
    written = f"""
- name: reads
  match: [{{name: get, uri: {{exact: /a}}}}, {{method: {{exact: POST}}, headers: {{x-b: {{}}, x-a: {{regex: a+}}}}}}]
  {TO_USER}
"""
    first, second = routes_of(pod_of(mesh_of(http(written))))
    assert (first.name, second.name) == ("reads.get", "reads")
    assert first.match.path is not None
    assert (first.match.path.how, first.match.path.value) == (Text.EXACT, "/a")
    assert [(name, match.how) for name, match in second.match.headers] == [("x-a", Text.REGEX), ("x-b", Text.PRESENT)]


def test_what_stands_behind_a_catch_all_is_left_out_and_prefix_root_is_one() -> None:
    written = f"""
- match: [{{uri: {{prefix: /}}, headers: {{x: {{exact: z}}}}}}]
  {TO_USER}
- name: all
  match: [{{uri: {{prefix: /}}}}]
  {TO_USER}
- name: dead
  {TO_USER}
"""
    assert [route.name for route in routes_of(pod_of(mesh_of(http(written))))] == ["", "all"]


def test_weights_stay_as_written_and_a_weight_of_zero_is_no_target() -> None:
    written = """
- route:
    - {destination: {host: user, subset: v1}, weight: 70}
    - {destination: {host: user, subset: v2}, weight: 20}
    - {destination: {host: chat}, weight: 0}
"""
    (route,) = routes_of(pod_of(mesh_of(http(written), SUBSETS)))
    assert targets_of(route) == [(USER, 50051, "v1", 70), (USER, 50051, "v2", 20)]


def test_on_a_sidecar_a_destination_without_a_port_takes_the_listeners() -> None:
    written = "- route: [{destination: {host: postgres}}]"
    assert targets_of(routes_of(pod_of(mesh_of(http(written))))[0]) == [(POSTGRES, 50051, "", 0)]


def test_attempts_alone_use_the_built_in_conditions_and_numbers_become_status_codes() -> None:
    written = f"""
- match: [{{uri: {{prefix: /a}}}}]
  retries: {{attempts: 3}}
  {TO_USER}
- match: [{{uri: {{prefix: /b}}}}]
  retries: {{attempts: 1, retryOn: "503,reset", perTryTimeout: 2s}}
  {TO_USER}
- retries: {{attempts: 0}}
  {TO_USER}
"""
    first, second, third = (forward_of(route).retry for route in routes_of(pod_of(mesh_of(http(written)))))
    assert first is not None
    assert (first.attempts, first.on) == (3, DEFAULT_ON)
    assert second is not None
    assert (second.on, second.status_codes, second.per_try_timeout) == (
        ("reset", "retriable-status-codes"),
        (503,),
        2.0,
    )
    assert third is None


def test_the_meshs_retry_policy_holds_where_a_route_has_none() -> None:
    config = """
apiVersion: install.istio.io/v1alpha1
kind: IstioOperator
metadata: {name: istio}
spec: {meshConfig: {defaultHttpRetryPolicy: {attempts: 7, retryOn: reset}}}
"""
    retry = forward_of(routes_of(pod_of(mesh_of(config)))[0]).retry
    assert retry is not None
    assert (retry.attempts, retry.on) == (7, ("reset",))


def test_a_fault_without_a_percentage_never_fires() -> None:
    written = (
        f"- fault: {{delay: {{fixedDelay: 1s}}, abort: {{httpStatus: 503, percentage: {{value: 5}}}}}}\n  {TO_USER}"
    )
    fault = routes_of(pod_of(mesh_of(http(written))))[0].fault
    assert fault is not None
    assert (fault.delay, fault.delay_percent, fault.abort_percent) == (1.0, None, 5.0)


def test_a_mirror_of_zero_percent_is_none() -> None:
    written = f"""
- mirrors:
    - {{destination: {{host: chat, port: {{number: 50051}}}}, percentage: {{value: 0}}}}
    - {{destination: {{host: chat, port: {{number: 9464}}}}}}
  {TO_USER}
"""
    mirrors = forward_of(routes_of(pod_of(mesh_of(http(written))))[0]).mirrors
    assert [(each.target.port, each.percent) for each in mirrors] == [(9464, 100.0)]


def test_a_host_header_that_is_set_is_the_authority() -> None:
    written = f"- headers: {{request: {{set: {{Host: other, x-a: b}}}}}}\n  {TO_USER}"
    (route,) = routes_of(pod_of(mesh_of(http(written))))
    rewrite = forward_of(route).rewrite
    assert rewrite is not None
    assert (rewrite.authority, route.request_headers.set) == ("other", (("x-a", "b"),))


def test_redirects_and_direct_responses_answer_at_once() -> None:
    written = """
- match: [{uri: {prefix: /a}}]
  redirect: {scheme: https, port: 443, redirectCode: 302}
- directResponse: {status: 503, body: {string: closed}}
"""
    first, second = (route.action for route in routes_of(pod_of(mesh_of(http(written)))))
    assert first == Redirect(scheme="https", code=302)
    assert second == Respond(503, "closed")


def test_a_port_condition_puts_a_route_on_that_port_only() -> None:
    written = f"- name: grpc\n  match: [{{port: 50051}}]\n  {TO_USER}\n- name: rest\n  {TO_USER}"
    pod = pod_of(mesh_of(http(written)))
    assert [route.name for route in routes_of(pod, port=50051)] == ["grpc"]
    assert [route.name for route in routes_of(pod, port=9464)] == ["rest"]


def test_source_labels_and_namespaces_choose_the_client() -> None:
    written = f"""
- name: canary
  match: [{{sourceLabels: {{version: v2}}}}]
  {TO_USER}
- name: rest
  {TO_USER}
"""
    mesh = mesh_of(http(written))
    assert [route.name for route in routes_of(pod_of(mesh, "mesh/user-v2-0"))] == ["canary"]
    assert [route.name for route in routes_of(pod_of(mesh))] == ["rest"]
    assert pod_of(mesh).outbound is pod_of(mesh, "mesh/user-v1-0").outbound


def test_a_two_part_host_is_a_literal_name_and_takes_that_alias_from_the_service() -> None:
    pod = pod_of(
        mesh_of(http("- route: [{destination: {host: legacy.other.svc.cluster.local}}]", f"[{LEGACY}, legacy.other]"))
    )
    assert host_of(pod, "legacy.other:8080", "8080").domains == ("legacy.other",)
    assert "legacy.other" not in host_of(pod, f"{LEGACY}:8080", "8080").domains


def test_an_exact_host_counts_before_a_wildcard_which_keeps_the_others() -> None:
    wild = vs(f"hosts: ['*.mesh.svc.cluster.local']\nhttp: [{{name: wild, {TO_USER}}}]", "a-wild")
    pod = pod_of(mesh_of(wild, http(f"- name: own\n  {TO_USER}")))
    assert [route.name for route in routes_of(pod, USER)] == ["own"]
    assert [route.name for route in routes_of(pod, CHAT)] == ["wild"]


def test_in_the_mesh_the_oldest_virtual_service_of_a_host_is_used() -> None:
    older = vs(
        f"hosts: [user]\nhttp: [{{name: old, {TO_USER}}}]", "z", meta=", creationTimestamp: '2026-01-01T00:00:00Z'"
    )
    newer = vs(
        f"hosts: [user]\nhttp: [{{name: new, {TO_USER}}}]", "a", meta=", creationTimestamp: '2026-02-01T00:00:00Z'"
    )
    assert [route.name for route in routes_of(pod_of(mesh_of(newer, older)))] == ["old"]


def test_a_virtual_service_may_be_exported_to_one_namespace_only() -> None:
    own = vs(f"hosts: [{LEGACY}]\nexportTo: ['.']\nhttp: [{{name: own, {TO_USER}}}]", namespace="other")
    own = own.replace("host: user", f"host: {USER}")
    assert [route.name for route in routes_of(pod_of(mesh_of(own)), LEGACY, 8080)] == ["default"]


def test_a_delegate_lies_inside_the_roots_match_and_takes_its_timeout_unless_it_has_one() -> None:
    root = f"""
- name: api
  match: [{{uri: {{prefix: /api}}}}]
  delegate: {{name: parts}}
  timeout: 9s
- name: rest
  {TO_USER}
"""
    parts = f"""
http:
  - name: own
    match: [{{uri: {{prefix: /api/x}}}}]
    timeout: 1s
    {TO_USER}
  - name: never
    match: [{{uri: {{prefix: /other}}}}]
    {TO_USER}
  - {TO_USER}
"""
    routes = routes_of(pod_of(mesh_of(http(root), vs(parts, "parts"))))
    assert [(route.name, forward_of(route).timeout) for route in routes] == [
        ("api-own", 1.0),
        ("api", 9.0),
        ("rest", None),
    ]
    assert all(route.config == "user.mesh" for route in routes)


def test_a_sniffed_port_has_a_table_of_its_own_that_takes_every_name() -> None:
    sniffed = "apiVersion: v1\nkind: Service\nmetadata: {name: odd, namespace: mesh}\n"
    sniffed += "spec: {selector: {app: chat}, ports: [{name: rpc, port: 7000}]}"
    pod = pod_of(mesh_of(sniffed))
    (host,) = table_of(pod, "odd.mesh.svc.cluster.local:7000").virtual_hosts
    assert host.domains == ("*",)


def test_tcp_routes_split_connections_and_http_routes_do_not_touch_them() -> None:
    written = vs(
        """
        hosts: [postgres]
        http: [{route: [{destination: {host: user}}]}]
        tcp:
          - match: [{port: 5432}]
            route:
              - {destination: {host: postgres, port: {number: 5432}}, weight: 60}
              - {destination: {host: chat, port: {number: 50051}}, weight: 40}
        """,
        "postgres",
    )
    listener = next(each for each in pod_of(mesh_of(written)).outbound.connections if each.service.host == POSTGRES)
    (route,) = listener.routes
    assert [(each.target.host, each.weight) for each in route.targets] == [(POSTGRES, 60), (CHAT, 40)]


def test_a_subnet_that_is_written_twice_counts_once() -> None:
    """Envoy takes no filter chain that asks for the same twice."""
    spec = """
hosts: [postgres]
tcp:
  - match: [{destinationSubnets: [1.2.3.4, 1.2.3.4]}]
    route: [{destination: {host: postgres}}]
"""
    listeners = pod_of(mesh_of(istio("VirtualService", "v", spec))).outbound.connections
    assert ("1.2.3.4",) in [route.destination_subnets for each in listeners for route in each.routes]
