"""Faults on purpose: delays and aborts that a VirtualService puts before the app."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from tests.mesh.backend import Mesh
from tests.mesh.conftest import Lab
from tests.mesh.lab.policies import to, virtual_service
from tests.mesh.test_timeouts import OVER

ALWAYS, NEVER = {"value": 100}, {"value": 0}


def on(case: str, fault: dict[str, Any]) -> dict[str, Any]:
    """A route with this fault for calls that ask for the case."""
    return {"match": [{"headers": {"x-lab-case": {"exact": case}}}], "fault": fault, "route": [to()]}


@pytest.fixture(scope="module", autouse=True)
def faults(mesh: Mesh) -> Iterator[None]:
    """A route for each case; without a case there is no fault."""
    routes = (
        on("grpc", {"abort": {"grpcStatus": "RESOURCE_EXHAUSTED", "percentage": ALWAYS}}),
        on("http", {"abort": {"httpStatus": 403, "percentage": ALWAYS}}),
        on("never", {"abort": {"httpStatus": 403, "percentage": NEVER}, "delay": {"fixedDelay": "15s"}}),
        on("slow", {"delay": {"fixedDelay": "15s", "percentage": ALWAYS}}),
        on("a bit slow", {"delay": {"fixedDelay": "0.2s", "percentage": ALWAYS}}),
        on(
            "both",
            {"delay": {"fixedDelay": "0.1s", "percentage": ALWAYS}}
            | {"abort": {"grpcStatus": "ABORTED", "percentage": ALWAYS}},
        ),
        on("half", {"abort": {"grpcStatus": "ABORTED", "percentage": {"value": 50}}}),
        {"route": [to()]},
    )
    with mesh.policy(virtual_service(*routes)):
        yield


async def outcome(lab: Lab, case: str, deadline: float = 20) -> grpc.StatusCode:
    """How a call under this case ends."""
    try:
        await lab.call({"key": f"fault-{case}"}, deadline=deadline, headers={"x-lab-case": case})
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


@pytest.mark.parametrize(
    ("case", "code"),
    [
        ("grpc", grpc.StatusCode.RESOURCE_EXHAUSTED),
        ("http", grpc.StatusCode.PERMISSION_DENIED),
        ("both", grpc.StatusCode.ABORTED),
    ],
)
async def test_an_abort_ends_every_call_with_its_status_and_the_app_hears_of_none(
    lab: Lab, case: str, code: grpc.StatusCode
) -> None:
    assert {await outcome(lab, case) for _ in range(5)} == {code}
    heard = [(await lab.call({"key": f"fault-{case}", "peek": True}))["calls"] for _ in range(12)]
    assert set(heard) == {0}


async def test_a_fault_of_no_call_touches_none(lab: Lab) -> None:
    """0 percent; and a delay without a percentage is one of no call, as istiod has it."""
    assert {await outcome(lab, "never", deadline=10) for _ in range(5)} == {grpc.StatusCode.OK}


async def test_a_fault_of_half_the_calls_touches_about_half(lab: Lab) -> None:
    """60 calls: outside 8..52 the odds are below one in a billion."""
    ends = [await outcome(lab, "half") for _ in range(60)]
    assert 8 <= ends.count(grpc.StatusCode.ABORTED) <= 52
    assert set(ends) == {grpc.StatusCode.ABORTED, grpc.StatusCode.OK}


async def test_a_delay_holds_calls_back(lab: Lab) -> None:
    """A caller with less patience gives up; one with more is answered."""
    assert await outcome(lab, "slow", deadline=0.5) in OVER
    assert await outcome(lab, "a bit slow") is grpc.StatusCode.OK


async def test_calls_of_no_case_meet_no_fault(lab: Lab) -> None:
    assert {await outcome(lab, "") for _ in range(5)} == {grpc.StatusCode.OK}
