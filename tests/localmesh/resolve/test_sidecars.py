"""Sidecars: what of the mesh a workload knows, and how it is called."""

import pytest

from tests.localmesh.resolve.base import CHAT, LEGACY, USER, istio, mesh_of, pod_of, resolved, whats


def sidecar(spec: str, name: str = "s", namespace: str = "mesh") -> str:
    return istio("Sidecar", name, spec, namespace=namespace)


def known(*documents: str, key: str = "mesh/chat-0") -> set[str]:
    return {each.service.host for each in pod_of(mesh_of(*documents), key).outbound.upstreams}


CHAT_ONLY = "workloadSelector: {labels: {app: chat}}\n"


def test_egress_hosts_are_all_that_a_workload_knows() -> None:
    written = sidecar(CHAT_ONLY + f"egress: [{{hosts: [./{USER}, other/*]}}]")
    assert known(written) == {USER, LEGACY}
    assert CHAT in known(written, key="mesh/postgres-0")


def test_a_workloads_sidecar_counts_before_its_namespaces_and_that_before_the_roots() -> None:
    root = sidecar("egress: [{hosts: ['~/*']}]", "r", "istio-system")
    own = sidecar(f"egress: [{{hosts: [./{USER}]}}]", "ns")
    chosen = sidecar(CHAT_ONLY + "egress: [{hosts: [other/*]}]")
    assert known(root) == set()
    assert known(root, own) == {USER}
    assert known(root, own, chosen) == {LEGACY}


def test_where_a_virtual_service_leads_is_known_as_a_cluster_but_not_by_name() -> None:
    route = istio(
        "VirtualService",
        "user",
        f"hosts: [user]\nhttp: [{{route: [{{destination: {{host: {LEGACY}, port: {{number: 8080}}}}}}]}}]",
    )
    written = sidecar(CHAT_ONLY + f"egress: [{{hosts: [./{USER}]}}]")
    pod = pod_of(mesh_of(written, route))
    assert LEGACY in {each.service.host for each in pod.outbound.upstreams}
    assert "8080" not in {each.name for each in pod.outbound.route_tables}


def test_unknown_names_may_be_refused() -> None:
    assert pod_of(mesh_of()).outbound.allow_any
    assert not pod_of(mesh_of(sidecar("outboundTrafficPolicy: {mode: REGISTRY_ONLY}"))).outbound.allow_any


def test_ingress_listeners_name_the_ports_and_where_the_app_listens() -> None:
    written = sidecar(
        CHAT_ONLY
        + """
ingress:
  - {port: {number: 50051, protocol: GRPC, name: grpc}, defaultEndpoint: "unix:///run/app.sock"}
  - {port: {number: 7777, protocol: TCP, name: extra}, defaultEndpoint: "127.0.0.1:7000"}
inboundConnectionPool: {tcp: {maxConnections: 4}}
"""
    )
    found = pod_of(mesh_of(written)).inbound
    assert [(each.port, each.app) for each in found] == [(50051, "unix:/run/app.sock"), (7777, "127.0.0.1:7000")]
    assert {each.pool.max_connections for each in found} == {4}


def test_an_egress_listener_with_a_port_knows_its_services_at_that_port_only() -> None:
    """A service without the port is not known; one that another listener names whole is."""
    grpc = "{port: {number: 50051, protocol: GRPC, name: x}, hosts: ['./*']}"
    pod = pod_of(mesh_of(sidecar(CHAT_ONLY + f"egress: [{grpc}]")))
    assert {(each.service.host, each.port.number) for each in pod.outbound.upstreams} == {(CHAT, 50051), (USER, 50051)}
    assert [each.name for each in pod.outbound.route_tables] == ["50051"]
    pod = pod_of(mesh_of(sidecar(CHAT_ONLY + f"egress: [{grpc}, {{hosts: [./{USER}]}}]")))
    found = {(each.service.host, each.port.number) for each in pod.outbound.upstreams}
    assert found == {(CHAT, 50051), (USER, 50051), (USER, 9464)}


@pytest.mark.parametrize(
    ("listener", "field"),
    [
        ("{bind: 127.0.0.1, hosts: ['*/*']}", "egress[].bind"),
        ("{captureMode: NONE, hosts: ['*/*']}", "captureMode: NONE"),
        ("{port: {number: 50051, protocol: TCP, name: x}, hosts: ['*/*']}", "egress[].port.protocol: TCP"),
    ],
)
def test_an_egress_listener_that_is_not_captured_or_speaks_otherwise_is_refused(listener: str, field: str) -> None:
    written = sidecar(f"egress: [{listener}]")
    assert f"{field} is valid in Istio but not supported by localmesh yet" in whats(resolved(written).problems)
