"""Sidecars: what of the mesh a workload knows at all, and how much it takes in."""

import asyncio
from typing import Any

import grpc

from tests.kit import Limit, eventually
from tests.mesh.backend import Mesh
from tests.mesh.conftest import Lab
from tests.mesh.lab.policies import document, to, virtual_service
from tests.mesh.test_routing import both_versions_answer

A_USER = {"via": {}, "to": "USER", "path": "/user.v1.UserService/GetUser"}


def sidecar(spec: dict[str, Any], name: str = "sidecar", app: str = "caller") -> str:
    """A Sidecar for one app; without an app for the whole namespace."""
    selector = {"workloadSelector": {"labels": {"app": app}}} if app else {}
    return document("networking.istio.io/v1", "Sidecar", name, selector | spec)


def knows(*hosts: str) -> dict[str, Any]:
    """Egress to these hosts only."""
    return {"egress": [{"hosts": list(hosts)}], "outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}}


async def code(lab: Lab, asked: dict[str, Any]) -> grpc.StatusCode:
    """How a call of caller ends."""
    try:
        await lab.ask(asked)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


async def reaches_echo(lab: Lab) -> bool:
    """caller calls a service of its own namespace."""
    return await code(lab, {"via": {}}) is grpc.StatusCode.OK


async def reaches_user(lab: Lab) -> bool:
    """caller calls a service of another namespace. user itself refuses it, which shows that the call came there."""
    return await code(lab, A_USER) is grpc.StatusCode.PERMISSION_DENIED


async def test_a_workload_reaches_only_the_hosts_that_its_sidecar_knows(mesh: Mesh, lab: Lab) -> None:
    """Connections that are open end as their listener drains; new ones find nobody."""

    async def only_echo() -> bool:
        return await reaches_echo(lab) and await code(lab, A_USER) is grpc.StatusCode.UNAVAILABLE

    async def both() -> bool:
        return await reaches_echo(lab) and await reaches_user(lab)

    assert await both()
    with mesh.policy(sidecar(knows("./*"))):
        await eventually(only_echo, within=Limit.STARTED, what="caller reaches echo and not user")
    await eventually(both, within=Limit.STARTED, what="caller reaches both again")


async def test_a_sidecar_of_the_workload_counts_before_that_of_its_namespace(mesh: Mesh, lab: Lab) -> None:
    nothing = sidecar(knows("~/*"), "nothing", app="")
    with mesh.policy(nothing, sidecar(knows("./echo.lab.svc.cluster.local", "mesh/*"))):
        assert await reaches_echo(lab)
        assert await reaches_user(lab)


async def test_the_routes_of_a_host_that_is_not_known_do_not_count(mesh: Mesh, lab: Lab) -> None:
    """A VirtualService of another namespace, which the egress hosts leave out."""
    spec = {"hosts": ["echo.lab.svc.cluster.local"], "http": [{"route": [to("v2")]}]}
    elsewhere = document("networking.istio.io/v1", "VirtualService", "echo-v2", spec, namespace="mesh")
    with mesh.policy(elsewhere):
        assert {(await lab.call({}))["version"] for _ in range(8)} == {"v2"}
        with mesh.policy(sidecar(knows("./*"))):
            assert await both_versions_answer(lab)


async def test_a_workload_takes_in_no_more_than_its_inbound_pool_allows(mesh: Mesh, lab: Lab) -> None:
    pool = {"inboundConnectionPool": {"http": {"http2MaxRequests": 1}}}
    one_pod = virtual_service({"route": [to("v2")], "retries": {"attempts": 0}})

    async def some_are_turned_away() -> bool:
        """As soon as enough calls are there at the same time."""
        ends = await asyncio.gather(*(code(lab, {"via": {"delay": 0.5}}) for _ in range(8)))
        return set(ends) == {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}

    with mesh.policy(one_pod, sidecar(pool, app="echo")):
        await eventually(some_are_turned_away, within=Limit.STARTED, what="one call is answered, and others are not")
