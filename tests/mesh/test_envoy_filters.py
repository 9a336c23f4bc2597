"""EnvoyFilters in force: the patches that stock Envoy can run act here as they act in a cluster."""

import json

import grpc
import pytest

from tests.kit import eventually
from tests.mesh.backend import Mesh
from tests.mesh.conftest import Lab


def envoy_filter(name: str, patch: dict[str, object], app: str) -> str:
    """An EnvoyFilter with one patch, for the pods of one app of the lab."""
    return json.dumps(
        {
            "apiVersion": "networking.istio.io/v1alpha3",
            "kind": "EnvoyFilter",
            "metadata": {"name": name, "namespace": "lab"},
            "spec": {"workloadSelector": {"labels": {"app": app}}, "configPatches": [patch]},
        }
    )


async def test_a_filter_inserted_before_the_router_limits_calls(mesh: Mesh, lab: Lab) -> None:
    """Envoy's own rate limit at echo's sidecar: it soon has no token left to give."""
    kind = "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit"
    always = {"default_value": {"numerator": 100}, "runtime_key": "x"}
    config = {
        "@type": kind,
        "stat_prefix": "lab",
        "token_bucket": {"max_tokens": 1, "tokens_per_fill": 1, "fill_interval": "3600s"},
        "filter_enabled": always,
        "filter_enforced": always,
    }
    manager = "envoy.filters.network.http_connection_manager"
    place = {"filterChain": {"filter": {"name": manager, "subFilter": {"name": "envoy.filters.http.router"}}}}
    patch: dict[str, object] = {
        "applyTo": "HTTP_FILTER",
        "match": {"context": "SIDECAR_INBOUND", "listener": place},
        "patch": {
            "operation": "INSERT_BEFORE",
            "value": {"name": "envoy.filters.http.local_ratelimit", "typed_config": config},
        },
    }
    with mesh.policy(envoy_filter("limit", patch, "echo")), pytest.raises(grpc.aio.AioRpcError) as failure:
        for _ in range(200):
            await lab.call({})
    assert failure.value.code() is grpc.StatusCode.UNAVAILABLE  # of HTTP's 429, by the gRPC mapping

    async def answered() -> bool:
        return bool(await lab.call({}))

    # Filters are of the listener: connections that are open keep the old one until it has drained.
    await eventually(answered, what="echo answers without the limit")


async def test_a_route_that_is_merged_adds_its_header(mesh: Mesh, lab: Lab) -> None:
    """At caller's sidecar, on the routes to echo: the next call has the header, and after the patch none has."""
    value = {"request_headers_to_add": [{"header": {"key": "x-patched", "value": "yes"}}]}
    patch: dict[str, object] = {
        "applyTo": "HTTP_ROUTE",
        "match": {"context": "SIDECAR_OUTBOUND", "routeConfiguration": {"portNumber": 7000}},
        "patch": {"operation": "MERGE", "value": value},
    }
    with mesh.policy(envoy_filter("header", patch, "caller")):
        assert (await lab.call({}))["headers"].get("x-patched") == "yes"
    assert "x-patched" not in (await lab.call({}))["headers"]
