"""Routes of the Kubernetes Gateway API: at a gateway, and in the mesh for calls to a Service."""

import json
from typing import Any

import grpc
import pytest

from tests.kit import eventually
from tests.mesh.backend import Mesh, Refused
from tests.mesh.conftest import Lab
from tests.mesh.lab.policies import document
from tests.mesh.test_routing import versions

pytestmark = pytest.mark.local("the cluster has no definitions of the Gateway API, which Istio does not bring")

API = "gateway.networking.k8s.io/v1"


def service(version: str) -> str:
    """A Service of its own for one version of echo: what the Gateway API has in the place of a subset."""
    selector = {"app": "echo", "version": version}
    return document(
        "v1", "Service", f"echo-{version}", {"selector": selector, "ports": [{"name": "grpc", "port": 7000}]}
    )


VERSIONS = (service("v1"), service("v2"))
IN_THE_MESH = {"group": "", "kind": "Service", "name": "echo"}
# The lab's gateway, by the Service before it: so nothing is deployed for this Gateway.
EDGE = document(
    API,
    "Gateway",
    "edge",
    {
        "gatewayClassName": "istio",
        "addresses": [{"type": "Hostname", "value": "edge"}],
        "listeners": [{"name": "grpc", "port": 80, "protocol": "HTTP"}],
    },
)


def grpc_route(parent: dict[str, Any], *rules: dict[str, Any]) -> str:
    """A GRPCRoute for echo."""
    return document(API, "GRPCRoute", "echo", {"parentRefs": [parent], "rules": list(rules)})


def to(version: str, weight: int = 1) -> dict[str, Any]:
    """One backend of a rule."""
    return {"name": f"echo-{version}", "port": 7000, "weight": weight}


async def test_weights_of_a_grpc_route_in_the_mesh_are_counted(mesh: Mesh, lab: Lab) -> None:
    """200 calls at 70:30. Outside 100..180 the odds are below one in a million."""
    with mesh.policy(*VERSIONS, grpc_route(IN_THE_MESH, {"backendRefs": [to("v1", 70), to("v2", 30)]})):
        assert 100 <= (await versions(lab, 200))["v1"] <= 180


async def test_a_match_of_headers_in_the_mesh_comes_before_a_rule_without_any(mesh: Mesh, lab: Lab) -> None:
    canary = {"matches": [{"headers": [{"name": "x-lab-canary", "value": "yes"}]}], "backendRefs": [to("v2")]}
    route = document(
        API,
        "HTTPRoute",
        "echo",
        {"parentRefs": [IN_THE_MESH], "rules": [{"backendRefs": [to("v1")]}, canary]},
    )
    with mesh.policy(*VERSIONS, route):
        assert set(await versions(lab, 10, headers={"x-lab-canary": "yes"})) == {"v2"}
        assert set(await versions(lab, 10)) == {"v1"}


async def test_a_rule_without_a_backend_is_answered_by_the_callers_proxy(mesh: Mesh, lab: Lab) -> None:
    """500, which is UNKNOWN in gRPC; and what no rule matches is unimplemented."""
    silent = {"matches": [{"method": {"service": "lab.Echo", "method": "Write"}}], "backendRefs": [to("v1", 0)]}
    read = {"matches": [{"method": {"service": "lab.Echo", "method": "Read"}}], "backendRefs": [to("v1")]}
    with mesh.policy(*VERSIONS, grpc_route(IN_THE_MESH, silent, read)):
        assert (await lab.call({}))["version"] == "v1"
        for method, code in (("Write", grpc.StatusCode.UNKNOWN), ("Other", grpc.StatusCode.UNIMPLEMENTED)):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await lab.call({}, method=method)
            assert caught.value.code() is code


async def test_a_gateway_sends_each_method_where_its_grpc_route_says(mesh: Mesh) -> None:
    write = {"matches": [{"method": {"service": "lab.Echo", "method": "Write"}}], "backendRefs": [to("v2")]}
    rest = {"matches": [{"method": {"service": "lab.Echo"}}], "backendRefs": [to("v1")]}
    with mesh.policy(*VERSIONS, EDGE, grpc_route({"name": "edge"}, rest, write)):
        async with grpc.aio.insecure_channel(mesh.edge) as channel:

            async def version(method: str) -> str:
                call = channel.unary_unary(f"/lab.Echo/{method}", request_serializer=bytes, response_deserializer=bytes)
                answer: dict[str, str] = json.loads(await call(b"{}", timeout=10, wait_for_ready=True))
                return answer["version"]

            assert await eventually(lambda: version("Read"), what="the gateway listens") == "v1"
            assert await version("Write") == "v2"


async def test_a_backend_that_another_namespace_does_not_grant_is_refused_with_what_to_write(mesh: Mesh) -> None:
    users = {"backendRefs": [{"name": "user", "namespace": "mesh", "port": 50051}]}
    with (
        pytest.raises(Refused, match="ReferenceGrant from GRPCRoute of lab to Service user"),
        mesh.policy(EDGE, grpc_route({"name": "edge"}, users)),
    ):
        pass
