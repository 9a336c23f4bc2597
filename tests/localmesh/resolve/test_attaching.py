"""Policies that name their target, as istiod attaches them: to the gateway pods of one Gateway, in its namespace."""

import pytest

from tests.localmesh.resolve.base import istio, mesh_of, pod_of, resolved, whats
from tests.localmesh.resolve.test_gateway_api import gateway

ROOT = "istio-system"
EDGE = "{group: gateway.networking.k8s.io, kind: Gateway, name: edge}"
POD, OTHER_POD, SIDECAR = "mesh/edge-istio-0", "mesh/other-istio-0", "mesh/chat-0"
GATEWAYS = (gateway(), gateway(name="other"))


def policy(kind: str, spec: str, name: str = "p", namespace: str = "mesh", group: str = "security") -> str:
    return istio(kind, name, spec, namespace=namespace, group=group)


@pytest.mark.parametrize("field", [f"targetRef: {EDGE}", f"targetRefs: [{EDGE}, {EDGE}]"])
def test_an_authorization_policy_holds_at_its_gateway_and_nowhere_else(field: str) -> None:
    mesh = mesh_of(*GATEWAYS, policy("AuthorizationPolicy", f"rules: [{{}}]\n{field}"))
    assert [each.name for each in pod_of(mesh, POD).access] == ["p"]
    assert pod_of(mesh, OTHER_POD).access == pod_of(mesh, SIDECAR).access == ()


def test_one_policy_may_name_two_gateways() -> None:
    both = f"rules: [{{}}]\ntargetRefs: [{EDGE}, {EDGE.replace('edge', 'other')}]"
    mesh = mesh_of(*GATEWAYS, policy("AuthorizationPolicy", both))
    assert [each.name for key in (POD, OTHER_POD) for each in pod_of(mesh, key).access] == ["p", "p"]


def test_a_request_authentication_holds_at_its_gateway_and_nowhere_else() -> None:
    spec = f"jwtRules: [{{issuer: a}}]\ntargetRefs: [{EDGE}]"
    mesh = mesh_of(*GATEWAYS, policy("RequestAuthentication", spec))
    assert [each.issuer for each in pod_of(mesh, POD).jwt] == ["a"]
    assert pod_of(mesh, OTHER_POD).jwt == pod_of(mesh, SIDECAR).jwt == ()


def test_a_telemetry_holds_at_its_gateway_and_nowhere_else() -> None:
    spec = f"accessLogging: [{{providers: [{{name: envoy}}]}}]\ntargetRefs: [{EDGE}]"
    mesh = mesh_of(*GATEWAYS, policy("Telemetry", spec, group="telemetry"))
    logs = {key: pod_of(mesh, key).client_telemetry.access_logs for key in (POD, OTHER_POD, SIDECAR)}
    assert [bool(logs[key]) for key in (POD, OTHER_POD, SIDECAR)] == [True, False, False]


def test_a_policy_of_the_root_namespace_that_names_a_target_stays_in_it() -> None:
    """Without a target it would reach every namespace."""
    named = policy("AuthorizationPolicy", f"rules: [{{}}]\ntargetRefs: [{EDGE}]", "named", ROOT)
    everywhere = policy("AuthorizationPolicy", "rules: [{}]", "everywhere", ROOT)
    mesh = mesh_of(*GATEWAYS, named, everywhere)
    assert [each.name for each in pod_of(mesh, POD).access] == ["everywhere"]


def test_a_selector_chooses_gateways_of_the_gateway_api_too() -> None:
    spec = "rules: [{}]\nselector: {matchLabels: {gateway.networking.k8s.io/gateway-name: edge}}"
    mesh = mesh_of(*GATEWAYS, policy("AuthorizationPolicy", spec))
    assert [each.name for each in pod_of(mesh, POD).access] == ["p"]
    assert pod_of(mesh, OTHER_POD).access == ()


def test_a_target_that_no_pod_serves_is_a_warning_with_its_place() -> None:
    spec = f"rules: [{{}}]\ntargetRefs: [{EDGE.replace('edge', 'edgy')}]"
    found = resolved(*GATEWAYS, policy("AuthorizationPolicy", spec))
    assert "targetRefs[0].name: no pod of mesh serves a Gateway edgy" in whats(found.warnings)
