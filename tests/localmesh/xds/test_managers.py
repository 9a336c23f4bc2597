"""What every connection manager is told."""

import pytest
from envoy.config.listener.v3 import listener_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm

from localmesh.manifests.load import loads
from localmesh.resolve import resolve
from localmesh.xds.compile import compile
from localmesh.xds.snapshot import LISTENER, Snapshot
from tests.localmesh.resolve.base import BASE, pod_of

Manager = hcm.HttpConnectionManager


def managers(snapshot: Snapshot) -> list[hcm.HttpConnectionManager]:
    """All connection managers of a proxy."""
    listeners = [listener_pb2.Listener.FromString(one.body) for one in snapshot.type(LISTENER).values()]
    filters = [one for listener in listeners for chain in listener.filter_chains for one in chain.filters]
    configs = [one.typed_config for one in filters if one.typed_config.Is(Manager.DESCRIPTOR)]
    return [Manager.FromString(one.value) for one in configs]


NORMALIZATIONS = (
    ("NONE", False, False, Manager.KEEP_UNCHANGED),
    ("DEFAULT", True, False, Manager.KEEP_UNCHANGED),
    ("BASE", True, False, Manager.KEEP_UNCHANGED),
    ("MERGE_SLASHES", True, True, Manager.KEEP_UNCHANGED),
    ("DECODE_AND_MERGE_SLASHES", True, True, Manager.UNESCAPE_AND_FORWARD),
)


@pytest.mark.parametrize(("written", "dots", "slashes", "escaped"), NORMALIZATIONS)
@pytest.mark.parametrize("pod", ["mesh/chat-0", "mesh/gateway-0"])
def test_paths_are_normalised_as_the_mesh_says_on_every_side(
    written: str, dots: bool, slashes: bool, escaped: int, pod: str
) -> None:
    """pilot/pkg/networking/core/listener.go: each level takes in the one before."""
    config = f"pathNormalization: {{normalization: {written}}}\n"
    mesh = resolve(loads(BASE + GATEWAY + config, "mesh.yaml")).mesh
    found = managers(compile(mesh, pod_of(mesh, pod)))
    assert found
    for one in found:
        assert one.normalize_path.value is dots
        assert one.merge_slashes is slashes
        assert one.path_with_escaped_slashes_action == escaped


def test_a_gateway_believes_as_many_proxies_before_it_as_it_is_told_of() -> None:
    """And hands on their word about client certificates as it is told; without a word it believes nobody."""
    topology = "defaultConfig: {gatewayTopology: {numTrustedProxies: 2, forwardClientCertDetails: APPEND_FORWARD}}\n"
    for config, hops, details in (("", 0, Manager.SANITIZE_SET), (topology, 2, Manager.APPEND_FORWARD)):
        mesh = resolve(loads(BASE + GATEWAY + config, "mesh.yaml")).mesh
        (one,) = managers(compile(mesh, pod_of(mesh, "mesh/gateway-0")))
        assert (one.xff_num_trusted_hops, one.forward_client_cert_details) == (hops, details)
        sidecar = managers(compile(mesh, pod_of(mesh)))[0]
        assert sidecar.xff_num_trusted_hops == 0


GATEWAY = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: mesh}
spec:
  selector: {app: gateway}
  servers: [{port: {number: 80, name: grpc, protocol: GRPC}, hosts: ["*"]}]
---
"""
