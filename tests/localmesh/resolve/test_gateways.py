"""Gateways: which pods open what, which hosts lead where, and the Secrets they need."""

from localmesh.mesh.identity import Protocol
from localmesh.mesh.pods import Pod
from tests.localmesh.resolve.base import (
    POSTGRES,
    USER,
    host_of,
    istio,
    mesh_of,
    pod_of,
    resolved,
    table_of,
    targets_of,
    whats,
)

TO_USER = "route: [{destination: {host: user, port: {number: 50051}}}]"
SECRET = """
apiVersion: v1
kind: Secret
metadata: {name: cert, namespace: mesh}
stringData: {tls.crt: CERTIFICATE, tls.key: KEY}
"""


def gateway(servers: str, name: str = "public", namespace: str = "mesh", meta: str = "") -> str:
    return istio("Gateway", name, f"selector: {{app: gateway}}\nservers:\n{servers}", namespace=namespace, meta=meta)


def bound(spec: str, name: str = "user", namespace: str = "mesh", meta: str = "") -> str:
    return istio("VirtualService", name, f"gateways: [mesh/public]\n{spec}", namespace=namespace, meta=meta)


def edge(*documents: str) -> Pod:
    return pod_of(mesh_of(*documents), "mesh/gateway-0")


HTTP = gateway("- {port: {number: 80, name: grpc, protocol: GRPC}, hosts: ['*']}")


def test_a_gateways_port_is_the_services_and_its_pod_listens_on_the_target() -> None:
    (server,) = edge(HTTP).servers
    assert (server.service_port, server.port, server.route_table) == (80, 8080, "http.8080")


def test_a_port_that_no_service_has_is_opened_as_it_is() -> None:
    (server,) = edge(gateway("- {port: {number: 9999, name: http, protocol: HTTP}, hosts: ['*']}")).servers
    assert server.port == 9999


def test_a_server_that_speaks_plain_http_ends_no_tls() -> None:
    """istiod reads no tls there: what is not a redirect says nothing."""
    (server,) = edge(gateway("- {port: {number: 80, name: http, protocol: HTTP}, hosts: ['*'], tls: {}}")).servers
    assert server.tls is None


def test_every_address_written_and_left_out_is_the_same_address() -> None:
    """Two servers of plain HTTP there would be two filter chains for every connection: the second is left out."""
    port = "port: {{number: 80, name: {}, protocol: HTTP}}, hosts: ['*']"
    both = gateway(f"- {{{port.format('a')}, bind: 0.0.0.0}}\n- {{{port.format('b')}}}")
    assert len(edge(both).servers) == 1
    assert "LM302" in whats(resolved(both).warnings)


def test_a_host_of_a_server_counts_once_with_and_without_a_namespace() -> None:
    """Two filter chains for one server name are none for Envoy."""
    hosts = "hosts: [a.example.com, ./a.example.com]"
    (server,) = edge(gateway(f"- {{port: {{number: 443, name: tls, protocol: TLS}}, {hosts}, tls: {{}}}}")).servers
    assert server.hosts == ("a.example.com",)


def test_without_a_virtual_service_a_gateway_knows_no_route() -> None:
    (host,) = table_of(edge(HTTP), "http.8080").virtual_hosts
    assert (host.name, host.domains, host.routes) == ("blackhole:80", ("*",), ())


def test_hosts_are_the_narrower_of_the_servers_and_the_virtual_services() -> None:
    pod = edge(
        gateway("- {port: {number: 80, name: http, protocol: HTTP}, hosts: ['*.example.com', a.example.org]}"),
        bound(f"hosts: [x.example.com, '*.example.org', else.example.net]\nhttp: [{{{TO_USER}}}]"),
    )
    # Both have the same routes, so they are one virtual host, called after the more specific name.
    (host,) = table_of(pod, "http.8080").virtual_hosts
    assert (host.name, host.domains) == ("a.example.org:80", ("a.example.org", "x.example.com"))


def test_a_server_host_with_a_namespace_takes_virtual_services_of_that_namespace_only() -> None:
    server = gateway("- {port: {number: 80, name: http, protocol: HTTP}, hosts: [mesh/a.example.com, ./b.example.com]}")
    other = bound(f"hosts: [a.example.com]\nhttp: [{{name: other, {TO_USER}}}]", "o", "other")
    other = other.replace("host: user", f"host: {USER}")
    own = bound(f"hosts: [b.example.com]\nhttp: [{{name: own, {TO_USER}}}]")
    assert [host.name for host in table_of(edge(server, other, own), "http.8080").virtual_hosts] == ["b.example.com:80"]


def test_a_virtual_service_for_every_host_is_copied_into_each() -> None:
    pod = edge(
        HTTP,
        bound(f"hosts: ['*']\nhttp: [{{name: all, match: [{{uri: {{prefix: /all}}}}], {TO_USER}}}]", "a"),
        bound(f"hosts: [b.example.com]\nhttp: [{{name: own, {TO_USER}}}]", "b"),
    )
    assert [host.name for host in table_of(pod, "http.8080").virtual_hosts] == ["*:80", "b.example.com:80"]


def test_virtual_services_of_one_host_are_one_list_with_the_catch_all_last() -> None:
    pod = edge(
        HTTP,
        bound(f"hosts: [a.example.com]\nhttp: [{{name: all, {TO_USER}}}]", "a"),
        bound(f"hosts: [a.example.com]\nhttp: [{{name: one, match: [{{uri: {{prefix: /one}}}}], {TO_USER}}}]", "b"),
    )
    assert [route.name for route in host_of(pod, "a.example.com:80", "http.8080").routes] == ["one", "all"]


def test_a_gateway_infers_the_only_port_of_a_service() -> None:
    pod = edge(HTTP, bound("hosts: [a.example.com]\nhttp: [{route: [{destination: {host: postgres}}]}]"))
    assert targets_of(host_of(pod, "a.example.com:80", "http.8080").routes[0]) == [(POSTGRES, 5432, "", 0)]


def test_https_redirect_needs_tls_for_every_host() -> None:
    server = "- {port: {number: 80, name: http, protocol: HTTP}, hosts: [a.example.com], tls: {httpsRedirect: true}}"
    pod = edge(gateway(server))
    host = host_of(pod, "a.example.com:80", "http.8080")
    assert (host.require_tls, pod.servers[0].tls) == (True, None)


HTTPS = """
- port: {number: 443, name: https, protocol: HTTPS}
  hosts: [a.example.com]
  tls: {mode: SIMPLE, credentialName: cert}
"""


def test_a_credential_is_a_secret_of_the_gateway_pods_namespace() -> None:
    mesh = mesh_of(gateway(HTTPS), SECRET)
    (server,) = pod_of(mesh, "mesh/gateway-0").servers
    assert (server.port, server.route_table) == (8443, "https.443.https.public.mesh")
    assert mesh.credentials["mesh/cert"].certificate == b"CERTIFICATE"
    assert "KEY" not in repr(mesh.credentials)


def test_a_missing_credential_is_a_problem() -> None:
    assert "there is no Secret mesh/cert (did you mean 'certs'?)" in whats(
        resolved(gateway(HTTPS), SECRET.replace("name: cert,", "name: certs,")).problems
    )


def test_passthrough_goes_by_server_name() -> None:
    server = "- {port: {number: 443, name: tls, protocol: TLS}, hosts: [a.example.com], tls: {mode: PASSTHROUGH}}"
    route = bound(f"hosts: [a.example.com]\ntls: [{{match: [{{port: 443, sniHosts: [a.example.com]}}], {TO_USER}}}]")
    (opened,) = edge(gateway(server), route).servers
    assert (opened.protocol, opened.route_table) == (Protocol.TLS, "")
    assert [each.sni for each in opened.connections] == [("a.example.com",)]


def test_servers_that_cannot_share_a_port_are_left_out_with_a_warning() -> None:
    found = resolved(
        HTTP, gateway("- {port: {number: 80, name: tcp, protocol: TCP}, hosts: ['*']}", "second"), base_vs()
    )
    assert [each.name for each in pod_of(found.mesh, "mesh/gateway-0").servers] == ["grpc"]
    assert "port 8080 is taken" in whats(found.warnings)


def base_vs() -> str:
    return bound(f"hosts: ['*']\nhttp: [{{{TO_USER}}}]")


def test_a_gateway_that_no_pod_serves_is_a_warning() -> None:
    found = resolved(HTTP.replace("selector: {app: gateway}", "selector: {app: egress}"), base_vs())
    assert "no gateway pod has these labels" in whats(found.warnings)
