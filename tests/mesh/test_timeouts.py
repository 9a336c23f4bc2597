"""What `timeout` of a VirtualService does."""

import grpc
import pytest

from tests.mesh.backend import Mesh
from tests.mesh.conftest import Lab
from tests.mesh.lab.policies import virtual_service

NO_RETRY = {"retries": {"attempts": 0}}


async def test_a_call_longer_than_the_route_timeout_is_ended_as_unavailable(mesh: Mesh, lab: Lab) -> None:
    """Envoy answers 504, which gRPC reads as UNAVAILABLE. The caller itself would wait 20 s."""
    with mesh.policy(virtual_service({"timeout": "0.3s"} | NO_RETRY)):
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await lab.call({"delay": 15}, deadline=20)
        assert failure.value.code() is grpc.StatusCode.UNAVAILABLE
        assert "upstream request timeout" in (failure.value.details() or "")


async def test_a_call_within_the_route_timeout_is_answered(mesh: Mesh, lab: Lab) -> None:
    with mesh.policy(virtual_service({"timeout": "15s"} | NO_RETRY)):
        assert (await lab.call({"delay": 0.2}))["pod"]


async def test_the_timeout_of_a_method_is_its_own(mesh: Mesh, lab: Lab) -> None:
    """Write is cut, Read is not: routes match by the method's path."""
    cut = {"match": [{"uri": {"exact": "/lab.Echo/Write"}}], "timeout": "0.3s"} | NO_RETRY
    with mesh.policy(virtual_service(cut, NO_RETRY)):
        with pytest.raises(grpc.aio.AioRpcError):
            await lab.call({"delay": 5}, method="Write")
        assert (await lab.call({"delay": 1}, method="Read"))["pod"]


async def test_the_callers_deadline_ends_a_call_without_a_route_timeout(mesh: Mesh, lab: Lab) -> None:
    with mesh.policy(virtual_service(NO_RETRY)):
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await lab.call({"delay": 15}, deadline=0.5)
        assert failure.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
