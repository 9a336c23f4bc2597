"""What `timeout` of a VirtualService does."""

import grpc

from tests.mesh.backend import Mesh
from tests.mesh.conftest import Lab
from tests.mesh.lab.policies import virtual_service

NO_RETRY = {"retries": {"attempts": 0}}
# Both sidecars know when the time is over: the client's counts it, and tells the server's in grpc-timeout. Whichever
# timer fires first answers: UNAVAILABLE (a 504 of the client's sidecar) or DEADLINE_EXCEEDED (of the server's).
OVER = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}


async def cut(lab: Lab, *, delay: float, deadline: float = 20, method: str = "Read") -> bool:
    """Whether a call that takes `delay` seconds is cut for its time."""
    try:
        await lab.call({"delay": delay}, deadline=deadline, method=method)
    except grpc.aio.AioRpcError as error:
        assert error.code() in OVER, error
        return True
    return False


async def test_a_call_longer_than_the_route_timeout_is_cut(mesh: Mesh, lab: Lab) -> None:
    """The caller itself would wait 20 s, and the answer would take 15."""
    with mesh.policy(virtual_service({"timeout": "0.3s"} | NO_RETRY)):
        assert await cut(lab, delay=15)


async def test_a_call_within_the_route_timeout_is_answered(mesh: Mesh, lab: Lab) -> None:
    with mesh.policy(virtual_service({"timeout": "15s"} | NO_RETRY)):
        assert not await cut(lab, delay=0.2)


async def test_the_timeout_of_a_method_is_its_own(mesh: Mesh, lab: Lab) -> None:
    """Write is cut, Read is not: routes match by the method's path."""
    short = {"match": [{"uri": {"exact": "/lab.Echo/Write"}}], "timeout": "0.3s"} | NO_RETRY
    with mesh.policy(virtual_service(short, NO_RETRY)):
        assert await cut(lab, delay=5, method="Write")
        assert not await cut(lab, delay=1, method="Read")


async def test_the_callers_deadline_ends_a_call_without_a_route_timeout(mesh: Mesh, lab: Lab) -> None:
    with mesh.policy(virtual_service(NO_RETRY)):
        assert await cut(lab, delay=15, deadline=0.5)
