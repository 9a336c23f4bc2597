"""However a method's path is spelled, the rules that name the method hold: the mesh normalises it before any rule."""

from collections.abc import Iterator

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
async def test_without_the_rule_every_spelling_reaches_the_method(lab: Lab, path: str) -> None:
    """So that it is the rule which stops them."""
    reached = await lab.ask({"via": {}, "path": path})
    assert reached["pod"].startswith("echo")


@pytest.fixture(scope="class")
def no_writes(mesh: Mesh) -> Iterator[None]:
    """The method is denied by its name."""
    rule = {"to": [{"operation": {"paths": ["/lab.Echo/Write"]}}]}
    spec = {"action": "DENY", "selector": {"matchLabels": {"app": "echo"}}, "rules": [rule]}
    with mesh.policy(authorization("no-writes", spec)):
        yield


@pytest.mark.usefixtures("no_writes")
class TestUnderTheRule:
    """That denies Write, and nothing else."""

    @pytest.mark.parametrize("path", SPELLINGS)
    async def test_no_spelling_of_a_path_slips_by_it(self, lab: Lab, path: str) -> None:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await lab.ask({"via": {}, "path": path})
        assert failure.value.code() is grpc.StatusCode.PERMISSION_DENIED
        assert await lab.call({})
