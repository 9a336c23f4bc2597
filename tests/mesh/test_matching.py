"""Which route of a VirtualService a request takes: every condition, their order, and how they combine."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from tests.mesh.backend import Mesh
from tests.mesh.conftest import Lab
from tests.mesh.lab.policies import HOST, document, to, virtual_service

YES = {"x-lab-yes": "1"}

# A match, one call that it holds for, and one that it does not: (method, headers).
CONDITIONS: dict[str, tuple[dict[str, Any], tuple[str, dict[str, str]], tuple[str, dict[str, str]]]] = {
    "uri exact": ({"uri": {"exact": "/lab.Echo/Read"}}, ("Read", {}), ("ReadMore", {})),
    "uri prefix": ({"uri": {"prefix": "/lab.Echo/Re"}}, ("ReadMore", {}), ("Write", {})),
    "uri regex": ({"uri": {"regex": "/lab\\.Echo/(Read|Write)"}}, ("Write", {}), ("Writer", {})),
    "uri without regard to case": (
        {"uri": {"exact": "/lab.echo/READ"}, "ignoreUriCase": True},
        ("Read", {}),
        ("Write", {}),
    ),
    "header exact": ({"headers": {"x-lab": {"exact": "a"}}}, ("Read", {"x-lab": "a"}), ("Read", {"x-lab": "ab"})),
    "header prefix": ({"headers": {"x-lab": {"prefix": "a"}}}, ("Read", {"x-lab": "ab"}), ("Read", {"x-lab": "b"})),
    "header regex": (
        {"headers": {"x-lab": {"regex": "[0-9]+"}}},
        ("Read", {"x-lab": "42"}),
        ("Read", {"x-lab": "42 or so"}),
    ),
    "header present": ({"headers": {"x-lab": {}}}, ("Read", {"x-lab": "anything"}), ("Read", {})),
    "without a header": (
        {"withoutHeaders": {"x-lab": {"exact": "a"}}},
        ("Read", {"x-lab": "b"}),
        ("Read", {"x-lab": "a"}),
    ),
    "all conditions of one match": (
        {"uri": {"prefix": "/lab.Echo/Read"}, "headers": {"x-lab": {"exact": "a"}}},
        ("Read", {"x-lab": "a"}),
        ("Write", {"x-lab": "a"}),
    ),
}


# The same for all calls of caller, who dials one name, and gRPC is always POST: whether it holds.
SETTLED: dict[str, tuple[dict[str, Any], bool]] = {
    "method": ({"method": {"exact": "POST"}}, True),
    "another method": ({"method": {"exact": "GET"}}, False),
    "authority": ({"authority": {"exact": f"{HOST}:7000"}}, True),
    "authority prefix": ({"authority": {"prefix": "echo."}}, True),
    "another authority": ({"authority": {"exact": "elsewhere"}}, False),
    "authority as a header": ({"headers": {":authority": {"prefix": "echo.lab"}}}, True),
    "source labels": ({"sourceLabels": {"app": "caller"}}, True),
    "other source labels": ({"sourceLabels": {"app": "somebody"}}, False),
    "source namespace": ({"sourceNamespace": "lab"}, True),
    "another source namespace": ({"sourceNamespace": "mesh"}, False),
    "port": ({"port": 7000}, True),
    "another port": ({"port": 7001}, False),
    "gateway": ({"gateways": ["mesh"]}, True),
    "another gateway": ({"gateways": ["mesh/public"]}, False),
}


async def version(lab: Lab, method: str = "Read", headers: dict[str, str] | None = None) -> str:
    """Which version answers this call."""
    return str((await lab.call({}, method=method, headers=headers))["version"])


def named(name: str, match: dict[str, Any]) -> dict[str, Any]:
    """A route to v2 for what the match holds for, of calls that name it: so each route stands alone."""
    name = name.replace(" ", "-")
    headers = match.get("headers", {}) | {"x-lab-condition": {"exact": name}}
    return {"match": [match | {"headers": headers}], "route": [to("v2")]}


@pytest.fixture(scope="class")
def conditions(mesh: Mesh) -> Iterator[None]:
    """A route for each condition; what none of them holds for goes to v1."""
    matches = {name: match for name, (match, *_) in (CONDITIONS | SETTLED).items()}
    with mesh.policy(virtual_service(*(named(*each) for each in matches.items()), {"route": [to("v1")]})):
        yield


@pytest.mark.usefixtures("conditions")
class TestConditions:
    """Under one VirtualService that has them all."""

    @pytest.mark.parametrize("name", CONDITIONS)
    async def test_a_route_takes_what_its_condition_holds_for_and_nothing_else(self, lab: Lab, name: str) -> None:
        told = {"x-lab-condition": name.replace(" ", "-")}
        _, (held, held_headers), (unheld, unheld_headers) = CONDITIONS[name]
        assert await version(lab, held, held_headers | told) == "v2"
        assert await version(lab, unheld, unheld_headers | told) == "v1"

    @pytest.mark.parametrize("name", SETTLED)
    async def test_a_route_is_for_the_callers_and_names_that_it_describes(self, lab: Lab, name: str) -> None:
        told = {"x-lab-condition": name.replace(" ", "-")}
        assert await version(lab, "Read", told) == ("v2" if SETTLED[name][1] else "v1")


def chosen(*matches: dict[str, Any]) -> str:
    """What one of the matches holds for goes to v2, all else to v1."""
    return virtual_service({"match": list(matches), "route": [to("v2")]}, {"route": [to("v1")]})


async def test_of_several_matches_one_is_enough(mesh: Mesh, lab: Lab) -> None:
    with mesh.policy(chosen({"uri": {"exact": "/lab.Echo/Write"}}, {"headers": {"x-lab-yes": {"exact": "1"}}})):
        assert await version(lab, "Write") == "v2"
        assert await version(lab, "Read", YES) == "v2"
        assert await version(lab, "Read") == "v1"


async def test_the_first_route_that_matches_wins(mesh: Mesh, lab: Lab) -> None:
    reads = {"match": [{"uri": {"prefix": "/lab.Echo/Read"}}], "route": [to("v1")]}
    all_methods = {"match": [{"uri": {"prefix": "/lab.Echo/"}}], "route": [to("v2")]}
    with mesh.policy(virtual_service(reads, all_methods)):
        assert await version(lab, "Read") == "v1"
        assert await version(lab, "Write") == "v2"
    with mesh.policy(virtual_service(all_methods, reads)):
        assert await version(lab, "Read") == "v2"


async def test_what_no_route_matches_is_not_answered(mesh: Mesh, lab: Lab) -> None:
    """Envoy's 404 is UNIMPLEMENTED to a gRPC client."""
    with mesh.policy(virtual_service({"match": [{"uri": {"prefix": "/lab.Echo/Read"}}], "route": [to("v1")]})):
        assert await version(lab, "Read") == "v1"
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await lab.call({}, method="Write")
        assert failure.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_delegate_decides_within_what_its_root_hands_over(mesh: Mesh, lab: Lab) -> None:
    handed = {
        "hosts": [HOST],
        "http": [
            {"match": [{"uri": {"prefix": "/lab.Echo/W"}}], "delegate": {"name": "writes"}},
            {"route": [to("v1")]},
        ],
    }
    delegate = {"http": [{"match": [{"uri": {"exact": "/lab.Echo/Write"}}], "route": [to("v2")]}]}
    with mesh.policy(
        document("networking.istio.io/v1", "VirtualService", "echo", handed),
        document("networking.istio.io/v1", "VirtualService", "writes", delegate),
    ):
        assert await version(lab, "Write") == "v2"
        assert await version(lab, "Wrong") == "v1"
        assert await version(lab, "Read") == "v1"


@pytest.mark.parametrize("host", ["echo", "*.lab.svc.cluster.local"])
async def test_a_host_may_be_short_or_a_pattern(mesh: Mesh, lab: Lab, host: str) -> None:
    spec = {"hosts": [host], "http": [{"match": [{"uri": {"prefix": "/lab.Echo/"}}], "route": [to("v2")]}]}
    with mesh.policy(document("networking.istio.io/v1", "VirtualService", "echo", spec)):
        assert {await version(lab) for _ in range(6)} == {"v2"}
