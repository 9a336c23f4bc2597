"""Agreeing with istiod on paper is not enough: a real Envoy takes what we compile."""

from pathlib import Path

import pytest

from localmesh.manifests import loads
from localmesh.resolve import resolve
from localmesh.xds.compile import compile
from tests.conformance.reference import kept
from tests.localmesh.xds.static import validated

# Between them these have every kind of resource that we write.
CASES = (
    "ap-custom-grpc-provider",
    "ap-custom-missing-provider",
    "ap-from-ip-blocks",
    "ap-to-path-templates",
    "ap-when-all-keys",
    "ap-when-claims",
    "dr-hash-cookie",
    "dr-locality-distribute",
    "dr-outlier-all",
    "dr-pool-all",
    "dr-proxy-protocol-tunnel",
    "dr-tls-simple-options",
    "dr-warmup",
    "ef-cluster-network-filter",
    "ef-gateway-lua-free",
    "ef-local-rate-limit",
    "ef-merge-http-route",
    "gw-tls-mutual",
    "gw-tls-passthrough",
    "k8sgw-grpcroute",
    "k8sgw-httproute-filters",
    "k8sgw-mesh-httproute",
    "k8sgw-tls-and-cross-namespace",
    "protocol-names",
    "se-dns-tls-origination",
    "se-https-sni",
    "ra-full",
    "ra-jwks-uri",
    "sidecar-ingress-listener",
    "tel-accesslog-json-provider",
    "tel-tracing-sampling",
    "vs-cors",
    "vs-direct-response",
    "vs-fault-abort",
    "vs-headers-manipulation",
    "vs-match-without-headers",
    "vs-mirror",
    "vs-redirect",
    "vs-retries",
    "vs-rewrite",
    "vs-tls-sni-route",
)


@pytest.mark.parametrize("name", CASES)
def test_a_real_envoy_takes_what_we_compile(name: str, tmp_path: Path) -> None:
    """`envoy --mode validate` has nothing against any proxy of the case."""
    case = kept()[name]
    mesh = resolve(loads(case.text), {}, {}).mesh
    for key in case.pods.values():
        pod = mesh.pod(key)
        assert pod is not None
        assert not validated(compile(mesh, pod), tmp_path / "envoy.json")
