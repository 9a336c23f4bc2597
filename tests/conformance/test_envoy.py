"""Agreeing with istiod on paper is not enough: a real Envoy takes what we compile."""

import itertools
from collections.abc import Mapping

import pytest

from localmesh.manifests import loads
from localmesh.resolve import resolve
from localmesh.xds.compile import compile
from localmesh.xds.snapshot import Snapshot
from tests.conformance.reference import kept
from tests.localmesh.xds.static import validated, validated_together

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


def snapshots(name: str) -> list[Snapshot]:
    """What each proxy of the case is given."""
    case = kept()[name]
    mesh = resolve(loads(case.text), {}, {}).mesh
    pods = [mesh.pod(key) for key in case.pods.values()]
    assert all(pods)
    return [compile(mesh, pod) for pod in pods if pod]


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What Envoy says against each case: all are asked together, and one by one only if it has something to say."""
    file = tmp_path_factory.mktemp("envoy") / "envoy.json"
    made = {name: snapshots(name) for name in CASES}
    if not validated_together(itertools.chain.from_iterable(made.values()), file):
        return {}
    return {name: "".join(validated(each, file) for each in found) for name, found in made.items()}


@pytest.mark.parametrize("name", CASES)
def test_a_real_envoy_takes_what_we_compile(name: str, refusals: Mapping[str, str]) -> None:
    """`envoy --mode validate` has nothing against any proxy of the case."""
    assert not refusals.get(name)
