"""However a method's path is spelled, the rules that name the method hold: the mesh normalises it before any rule."""

import grpc
import pytest

from tests.mesh.backend import Mesh
from tests.mesh.conftest import Lab
from tests.mesh.lab.policies import authorization

SPELLINGS = (
    "/lab.Echo/Write",
    "//lab.Echo/Write",
    "/lab.Echo//Write",
    "/lab.Echo%2FWrite",
    "/lab.Echo%2fWrite",
    "/%2Flab.Echo/Write",
    "/x/../lab.Echo/Write",
    "/x/%2E%2E/lab.Echo/Write",
    "/./lab.Echo/./Write",
    "/lab.Echo\\Write",
    "/lab.Echo%5CWrite",
    "/lab.Ech%6F/Write",
)


@pytest.mark.parametrize("path", SPELLINGS)
async def test_no_spelling_of_a_path_slips_by_a_rule(mesh: Mesh, lab: Lab, path: str) -> None:
    """Without the rule each of them reaches the method, so that it is the rule which stops them."""
    reached = await lab.ask({"via": {}, "path": path})
    assert reached["pod"].startswith("echo")
    rule = {"to": [{"operation": {"paths": ["/lab.Echo/Write"]}}]}
    spec = {"action": "DENY", "selector": {"matchLabels": {"app": "echo"}}, "rules": [rule]}
    with mesh.policy(authorization("no-writes", spec)):
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await lab.ask({"via": {}, "path": path})
        assert failure.value.code() is grpc.StatusCode.PERMISSION_DENIED
        assert await lab.call({})
