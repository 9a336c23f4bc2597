"""Services and their endpoints; protocols; what a cluster's own Pods and EndpointSlices say."""

import pytest

from localmesh.mesh.identity import Locality, Protocol
from localmesh.mesh.pods import Proxy
from localmesh.mesh.services import Resolution
from localmesh.resolve.protocols import protocol_of
from tests.localmesh.resolve.base import (
    BASE,
    CHAT,
    USER,
    istio,
    mesh_of,
    pod_of,
    resolved,
    service,
    service_of,
    upstream_of,
    whats,
)

CLUSTER = """
apiVersion: v1
kind: Node
metadata: {name: node-a, labels: {topology.kubernetes.io/region: eu, topology.kubernetes.io/zone: eu-1}}
---
apiVersion: v1
kind: Pod
metadata: {name: chat-x, namespace: mesh, labels: {app: chat, security.istio.io/tlsMode: istio}}
spec: {nodeName: node-a, serviceAccountName: chat, containers: [{name: chat, image: "chat:1"}]}
status: {phase: Running, podIP: 10.1.2.3, conditions: [{type: Ready, status: "True"}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: chat-1, namespace: mesh, labels: {kubernetes.io/service-name: chat}}
addressType: IPv4
ports: [{name: grpc, port: 50051}]
endpoints:
  - {addresses: [10.1.2.3], conditions: {ready: true}, targetRef: {kind: Pod, name: chat-x, namespace: mesh}}
  - {addresses: [10.9.9.9], conditions: {ready: false}}
"""


@pytest.mark.parametrize(
    ("name", "app_protocol", "expected"),
    [
        ("grpc", None, Protocol.GRPC),
        ("http-metrics", None, Protocol.HTTP),
        ("grpc-web-x", None, Protocol.GRPC_WEB),
        ("HTTP2", None, Protocol.HTTP2),
        ("tcp-nats", None, Protocol.TCP),
        ("rpc", None, Protocol.UNKNOWN),
        ("http", "grpc", Protocol.GRPC),
        ("grpc", "kubernetes.io/h2c", Protocol.HTTP2),
        ("grpc", "made-up", Protocol.UNKNOWN),
    ],
)
def test_app_protocol_counts_before_the_prefix_of_the_name(
    name: str, app_protocol: str | None, expected: Protocol
) -> None:
    assert protocol_of(7000, name, "TCP", app_protocol) is expected


def test_a_server_that_speaks_first_is_not_sniffed() -> None:
    assert protocol_of(3306, "db") is Protocol.TCP


def test_endpoints_are_the_pods_that_the_selector_finds() -> None:
    ends = service_of(mesh_of(), USER).endpoints[50051]
    assert [end.pod for end in ends] == ["user-v1-0", "user-v1-1", "user-v2-0"]
    assert all(end.mtls and end.port == 50051 for end in ends)


def test_a_named_target_port_is_the_containers_port_of_that_name() -> None:
    mesh = mesh_of(service("web", "{name: http2, port: 80, targetPort: grpc}", app="chat"))
    web = service_of(mesh, "web.mesh.svc.cluster.local")
    assert [end.port for end in web.endpoints[80]] == [50051]
    assert web.ports[0].target == 50051


def test_a_target_port_that_no_container_names_is_a_problem() -> None:
    said = whats(resolved(service("web", "{name: http2, port: 80, targetPort: grcp}", app="chat")).problems)
    assert "no pod of the service has a port named 'grcp' (did you mean 'grpc'?)" in said


def test_a_selector_that_matches_nothing_is_a_warning() -> None:
    assert "the selector (app=ghost) matches no pod" in whats(
        resolved(service("ghost", "{name: tcp, port: 1}")).warnings
    )


def test_a_headless_service_is_dialed_by_the_address_of_a_pod() -> None:
    mesh = mesh_of(service("peers", "{name: tcp-peer, port: 50051}", app="user", more=", clusterIP: None"))
    peers = service_of(mesh, "peers.mesh.svc.cluster.local")
    assert peers.resolution is Resolution.PASSTHROUGH
    listener = next(each for each in pod_of(mesh).outbound.connections if each.service.host == peers.host)
    assert listener.addresses == tuple(end.address for end in peers.endpoints[50051])


def test_udp_ports_and_external_names_are_no_services_of_the_mesh() -> None:
    dns = service("dns", "{name: dns, port: 53, protocol: UDP}, {name: tcp-dns, port: 53}", app="chat")
    alias = "apiVersion: v1\nkind: Service\nmetadata: {name: ext, namespace: mesh}\n"
    alias += "spec: {type: ExternalName, externalName: api.example.net, ports: [{port: 443}]}"
    mesh = mesh_of(dns, alias)
    assert [port.protocol for port in service_of(mesh, "dns.mesh.svc.cluster.local").ports] == [Protocol.TCP]
    assert not [each for each in mesh.services if each.name == "ext"]


def test_a_service_may_be_exported_to_its_own_namespace_only() -> None:
    hidden = service("hidden", "{name: http, port: 8080}", app="legacy", namespace="other")
    hidden = hidden.replace("namespace: other}", "namespace: other, annotations: {networking.istio.io/exportTo: '.'}}")
    hosts = {each.service.host for each in pod_of(mesh_of(hidden)).outbound.upstreams}
    assert "hidden.other.svc.cluster.local" not in hosts
    assert "legacy.other.svc.cluster.local" in hosts


def test_a_clusters_pods_and_slices_are_the_pods_and_endpoints_and_nothing_is_expanded() -> None:
    mesh = mesh_of(CLUSTER)
    assert [pod.key for pod in mesh.pods] == ["mesh/chat-x"]
    assert not mesh.workloads
    assert [(end.address, end.ready) for end in service_of(mesh, CHAT).endpoints[50051]] == [
        ("10.1.2.3", True),
        ("10.9.9.9", False),
    ]
    assert service_of(mesh, USER).endpoints[50051] == ()


def test_a_clusters_pod_has_the_proxy_of_its_label_and_the_locality_of_its_node() -> None:
    pod = pod_of(mesh_of(CLUSTER), "mesh/chat-x")
    assert (pod.proxy, pod.locality) == (Proxy.SIDECAR, Locality("eu", "eu-1"))


def test_an_endpoint_of_another_network_is_refused_and_left_out() -> None:
    """It has no address of its own: calls go through the other network's gateway."""
    spec = "hosts: [a.example.com]\nports: [{number: 80, name: http}]\nresolution: STATIC\nendpoints: [{network: west}]"
    found = resolved(istio("ServiceEntry", "e", spec))
    assert "an endpoint behind the gateway of another network" in whats(found.problems)
    assert service_of(found.mesh, "a.example.com").endpoints[80] == ()


def test_a_host_looked_up_round_robin_has_one_name_to_look_up() -> None:
    """Envoy takes no second endpoint there."""
    spec = "hosts: [a.example.com]\nports: [{number: 80, name: http}]\nresolution: DNS_ROUND_ROBIN\n"
    entry = istio("ServiceEntry", "e", spec + "workloadSelector: {labels: {app: user}}")
    assert len(service_of(mesh_of(entry), "a.example.com").endpoints[80]) == 1


def test_a_service_entry_is_a_service_and_its_endpoints_may_be_names() -> None:
    entry = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ext, namespace: mesh}
spec:
  hosts: [api.example.net]
  resolution: DNS
  location: MESH_EXTERNAL
  ports: [{number: 80, name: http, protocol: HTTP, targetPort: 8080}, {number: 443, name: tls, protocol: TLS}]
"""
    pod = pod_of(mesh_of(entry))
    upstream = upstream_of(pod, "api.example.net", 80)
    assert [(end.address, end.port) for end in upstream.endpoints] == [("api.example.net", 8080)]
    assert (upstream.service.external, upstream.auto_mtls) == (True, False)
    tls = next(each for each in pod.outbound.connections if each.port == 443 and each.service.host == "api.example.net")
    assert tls.routes[0].sni == ("api.example.net",)


def test_equal_pods_share_one_outbound_object() -> None:
    mesh = mesh_of(base=BASE)
    assert pod_of(mesh, "mesh/user-v1-0").outbound is pod_of(mesh, "mesh/postgres-0").outbound


def test_an_entry_for_the_host_of_a_service_adds_to_it() -> None:
    """Endpoints of both, ports of both; at a port that both have, the younger one says the addresses."""
    entry = istio(
        "ServiceEntry",
        "more",
        f"""
        hosts: [{USER}]
        addresses: [192.0.2.1]
        location: MESH_INTERNAL
        resolution: STATIC
        ports: [{{number: 50051, name: grpc, protocol: GRPC}}, {{number: 7000, name: grpc-more, protocol: GRPC}}]
        endpoints: [{{address: 192.0.2.9}}]
        """,
    )
    found = service_of(mesh_of(entry), USER)
    assert [port.number for port in found.ports] == [50051, 9464, 7000]
    assert [end.address for end in found.endpoints[7000]] == ["192.0.2.9"]
    assert "192.0.2.9" in {end.address for end in found.endpoints[50051]}
    assert found.addresses_of(50051) == ("192.0.2.1",)
    assert found.addresses_of(9464) == found.addresses
