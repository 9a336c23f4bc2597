"""What `retries` of a VirtualService does to calls between two sidecars."""

import asyncio
import uuid

import grpc
import pytest

from tests.mesh.backend import Mesh
from tests.mesh.conftest import Lab
from tests.mesh.lab.policies import destination_rule, virtual_service


async def tries(lab: Lab, key: str) -> int:
    """How often echo saw this key. With one endpoint subset in the route, one pod saw them all."""
    return int((await lab.call({"key": key, "peek": True}))["calls"])


@pytest.fixture
def key() -> str:
    """A key of this test's own."""
    return uuid.uuid4().hex


def one_pod(**route: object) -> str:
    """All calls go to the only pod of v2, under these rules."""
    return virtual_service({"route": [{"destination": {"host": "echo.lab.svc.cluster.local", "subset": "v2"}}]} | route)


async def test_a_failed_read_is_tried_again_as_often_as_attempts_says(mesh: Mesh, lab: Lab, key: str) -> None:
    with mesh.policy(one_pod(retries={"attempts": 3, "retryOn": "unavailable"})):
        answer = await lab.call({"key": key, "fail": "UNAVAILABLE", "times": 3})
        assert answer["calls"] == 4


async def test_after_the_last_attempt_the_caller_gets_the_failure(mesh: Mesh, lab: Lab, key: str) -> None:
    with mesh.policy(one_pod(retries={"attempts": 2, "retryOn": "unavailable"})):
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await lab.call({"key": key, "fail": "UNAVAILABLE"})
        assert failure.value.code() is grpc.StatusCode.UNAVAILABLE
        assert await tries(lab, key) == 3


async def test_attempts_zero_means_no_retry(mesh: Mesh, lab: Lab, key: str) -> None:
    with mesh.policy(one_pod(retries={"attempts": 0})):
        with pytest.raises(grpc.aio.AioRpcError):
            await lab.call({"key": key, "fail": "UNAVAILABLE"})
        assert await tries(lab, key) == 1


async def test_without_retries_in_the_policy_unavailable_is_tried_three_times(mesh: Mesh, lab: Lab, key: str) -> None:
    """Istio's default: 2 retries on connect-failure, refused-stream, unavailable, cancelled."""
    with mesh.policy(one_pod()):
        answer = await lab.call({"key": key, "fail": "UNAVAILABLE", "times": 2})
        assert answer["calls"] == 3


@pytest.mark.parametrize("code", ["UNAVAILABLE", "CANCELLED", "DEADLINE_EXCEEDED", "INTERNAL", "ABORTED"])
async def test_a_write_that_reached_the_app_is_never_tried_again(mesh: Mesh, lab: Lab, key: str, code: str) -> None:
    """The retry policy of the bundle's own writes: nobody knows what the first try has done."""
    with mesh.policy(
        one_pod(retries={"attempts": 2, "retryOn": "connect-failure,refused-stream,reset-before-request"})
    ):
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await lab.call({"key": key, "fail": code}, method="Write")
        assert failure.value.code().name == code
        assert await tries(lab, key) == 1


async def test_a_slow_try_is_given_up_after_per_try_timeout_and_tried_again(mesh: Mesh, lab: Lab, key: str) -> None:
    """The first try would take 60 s, more than the caller's patience of 20 s. See test_timeouts.OVER for the codes."""
    retry_on = "unavailable,gateway-error,deadline-exceeded"
    policy = one_pod(retries={"attempts": 5, "perTryTimeout": "0.5s", "retryOn": retry_on})
    with mesh.policy(policy):
        answer = await lab.call({"key": key, "delay": 60, "times": 1})
        assert answer["calls"] >= 2


async def test_each_attempt_after_a_failure_goes_to_another_pod(mesh: Mesh, lab: Lab, key: str) -> None:
    """Each of three pods fails a call once: it fails after three tries only if these have asked all three pods.

    Envoy looks for a pod that it has not asked, but only six times: one call of 11 may ask one twice (measured: of 30).
    By chance alone 2 calls of 9 would ask all three. Of 30, fewer than 15 are chance in one run of a billion.
    """

    async def asks_all(number: int) -> bool:
        try:
            await lab.call({"key": f"{key}-{number}", "fail": "UNAVAILABLE", "times": 1})
        except grpc.aio.AioRpcError as error:
            assert error.code() is grpc.StatusCode.UNAVAILABLE
            return True
        return False

    with mesh.policy(virtual_service({"retries": {"attempts": 2, "retryOn": "unavailable"}})):
        assert sum([await asks_all(number) for number in range(30)]) >= 15


async def test_a_retry_budget_lets_few_retries_run_at_once(mesh: Mesh, lab: Lab, key: str) -> None:
    """Ten calls fail at the same time. All would be tried again, were there not one retry at a time."""
    failing = {"key": key, "fail": "UNAVAILABLE", "delay": 0.5}
    one_at_a_time = destination_rule({"retryBudget": {"percent": 1, "minRetryConcurrency": 1}})

    async def tried(key: str) -> int:
        ends = await asyncio.gather(*(lab.call(failing | {"key": key}) for _ in range(10)), return_exceptions=True)
        assert {end.code() for end in ends if isinstance(end, grpc.aio.AioRpcError)} == {grpc.StatusCode.UNAVAILABLE}
        return await tries(lab, key)

    with mesh.policy(one_pod(retries={"attempts": 1, "retryOn": "unavailable"})):
        assert await tried(f"{key}-all") == 20
        with mesh.policy(one_at_a_time):
            assert 10 < await tried(f"{key}-few") < 15
