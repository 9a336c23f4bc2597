"""EnvoyFilters in force: the patches that stock Envoy can run act here as they act in a cluster."""

import json
import uuid

import grpc

from tests.kit import eventually
from tests.mesh.backend import Mesh
from tests.mesh.conftest import Lab
from tests.mesh.lab.policies import to, virtual_service
from tests.mesh.logs import proxied


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


def limit(tokens: int) -> str:
    """Envoy's own rate limit at echo's sidecar: so many calls, and then none for an hour."""
    kind = "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit"
    always = {"default_value": {"numerator": 100}, "runtime_key": "x"}
    config = {
        "@type": kind,
        "stat_prefix": "lab",
        "token_bucket": {"max_tokens": tokens, "tokens_per_fill": 1, "fill_interval": "3600s"},
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
    return envoy_filter("limit", patch, "echo")


async def test_a_filter_inserted_before_the_router_limits_calls(mesh: Mesh, lab: Lab) -> None:
    """It soon has no token left to give. Open connections keep the old listener, each until its next call."""

    async def limited() -> bool:
        try:
            await lab.call({})
        except grpc.aio.AioRpcError as error:
            return error.code() is grpc.StatusCode.UNAVAILABLE  # of HTTP's 429, by the gRPC mapping
        return False

    async def answered() -> bool:
        return bool(await lab.call({}))

    with mesh.policy(limit(1), virtual_service({"route": [to("v2")], "retries": {"attempts": 0}})):
        await eventually(limited, what="echo has no token left")
    await eventually(answered, what="echo answers without the limit")


async def test_a_connection_to_a_listener_that_changes_is_let_go_with_its_next_call(mesh: Mesh, lab: Lab) -> None:
    """As in Istio: not kept until the listener has drained, and cut then in the middle of some call."""

    async def connection() -> str:
        """The one that a call to v2 came over."""
        method = f"Call{uuid.uuid4().hex}"
        await lab.call({}, method=method)
        (line,) = await eventually(lambda: proxied(mesh.logs("lab/echo-v2-0"), method), what=f"{method} in the log")
        return str(line["downstream_remote_address"])

    with mesh.policy(virtual_service({"route": [to("v2")]})):
        for _ in range(3):
            before = await connection()
            with mesh.policy(limit(1000)):
                await connection()
                assert await connection() != before


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
