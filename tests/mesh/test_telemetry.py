"""What Telemetry has the sidecars write down.

An access log belongs to a listener: a connection that is already open is logged as when it was opened, until it has
drained. So these tests call until the log is as it should be.
"""

import uuid
from typing import Any

import grpc
import pytest

from tests.kit import Limit, eventually
from tests.mesh.backend import Mesh
from tests.mesh.conftest import Lab
from tests.mesh.lab.policies import document, to, virtual_service

TO_V2 = virtual_service({"route": [to("v2")], "retries": {"attempts": 0}})
FAILING = {"fail": "INTERNAL"}


def access_log(logging: dict[str, Any], name: str = "log", app: str = "echo") -> str:
    """A Telemetry for the access log of one app; without an app of the whole namespace.

    It names its provider: where neither it nor meshConfig.defaultProviders does, accessLogFile stays in force (as in
    istiod).
    """
    selector = {"selector": {"matchLabels": {"app": app}}} if app else {}
    spec = selector | {"accessLogging": [{"providers": [{"name": "envoy"}]} | logging]}
    return document("telemetry.istio.io/v1", "Telemetry", name, spec)


async def logged(mesh: Mesh, lab: Lab, *requests: dict[str, Any]) -> list[bool]:
    """Which of these calls, made one after the other, stand in the log of v2's sidecar.

    Each is made when the one before stands in the log of caller's sidecar, which logs all: so the first ones had time.
    """
    names = []
    for request in requests:
        names.append(f"Call{uuid.uuid4().hex}")
        try:
            await lab.call(request, method=names[-1])
        except grpc.aio.AioRpcError as error:
            assert error.code() is grpc.StatusCode.INTERNAL, error
        await eventually(lambda: names[-1] in mesh.logs("lab/caller-0"), what="the call in the log of its client")
    text = mesh.logs("lab/echo-v2-0")
    return [name in text for name in names]


@pytest.mark.parametrize("condition", ["response.grpc_status == 13", "response.grpc_status > 0"])
async def test_only_calls_that_a_filter_holds_for_are_logged(mesh: Mesh, lab: Lab, condition: str) -> None:
    """13 is INTERNAL. The log has its lines in order: when it has the second call, it will never have the first."""

    async def filtered() -> bool:
        return (await logged(mesh, lab, {}, FAILING, {}, {}))[:2] == [False, True]

    with mesh.policy(TO_V2, access_log({"filter": {"expression": condition}})):
        await eventually(filtered, within=Limit.STARTED, what="only the call that failed in the log")


async def test_a_log_may_be_switched_off_for_a_namespace_and_on_again_for_an_app(mesh: Mesh, lab: Lab) -> None:
    off = access_log({"disabled": True}, "everywhere", app="")

    async def silent() -> bool:
        return not any(await logged(mesh, lab, {}, {}, {}))

    async def speaking() -> bool:
        return (await logged(mesh, lab, {}, {}, {}))[0]

    with mesh.policy(TO_V2, off, access_log({}, "caller", app="caller")):
        await eventually(silent, within=Limit.STARTED, what="no call in the log")
        with mesh.policy(access_log({})):
            await eventually(speaking, within=Limit.STARTED, what="calls in the log again")
