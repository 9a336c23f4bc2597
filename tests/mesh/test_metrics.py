"""The metrics of the whole mesh as `localmesh metrics` tells them, and the arrows made of what proxies count."""

import uuid
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.kit import Limit, eventually
from tests.mesh.backend import Mesh
from tests.mesh.conftest import Lab, Somebody
from tests.mesh.lab.policies import authorization, to, virtual_service
from tests.mesh.local import LocalMesh
from tests.mesh.test_chat import send

pytestmark = pytest.mark.local("localmesh tells them; a cluster's Prometheus reads its pods itself")
ECHO = "outbound|7000|v2|echo.lab.svc.cluster.local"


def samples(mesh: Mesh) -> Iterator[Sample]:
    """All of one page, which Prometheus' own parser has read: it ends the name of every counter with `_total`."""
    assert isinstance(mesh, LocalMesh)
    return (each for family in text_string_to_metric_families(mesh.command("metrics")) for each in family.samples)


def value(mesh: Mesh, name: str, **labels: str) -> float:
    """The sum of the samples with these labels."""
    return sum(each.value for each in samples(mesh) if each.name == name and labels.items() <= each.labels.items())


async def test_a_call_is_counted_by_the_apps_and_by_the_proxies_it_came_through(mesh: Mesh, somebody: Somebody) -> None:
    def counted() -> tuple[float, float, float]:
        page = list(samples(mesh))

        def total(name: str, **labels: str) -> float:
            return sum(each.value for each in page if each.name == name and labels.items() <= each.labels.items())

        return (
            total("grpc_server_handled_total", grpc_method="SendMessage", grpc_code="OK", workload="chat"),
            total("envoy_cluster_upstream_rq_total", workload="gateway", cluster_name=CHAT, response_code="200"),
            total("envoy_cluster_grpc_total", workload="gateway", cluster_name=CHAT, grpc_response_status="0"),
        )

    before = counted()
    for _ in range(3):
        await send(somebody, f"room-{uuid.uuid4().hex}", "x")

    def three_more() -> bool:
        """At least: a call of the test before may have been counted meanwhile."""
        return all(now >= was + 3 for now, was in zip(counted(), before, strict=True))

    await eventually(three_more, within=Limit.STARTED, what="three calls more")


CHAT = "outbound|50051||chat.mesh.svc.cluster.local"


async def test_every_program_is_up_and_every_sample_is_of_a_pod_or_of_localmesh(mesh: Mesh) -> None:
    def all_up() -> list[Sample]:
        page = list(samples(mesh))
        up = {(each.labels["namespace"], each.labels["pod"]) for each in page if each.name == "up" and each.value == 1}
        states = {each.labels["state"] for each in page if each.name == "localmesh_pods"}
        return page if (up, states) == ({tuple(pod.name.split("/")) for pod in mesh.pods()}, {"Ready"}) else []

    page = await eventually(all_up, within=Limit.STARTED, what="every program is up and every pod ready")
    assert all("pod" in each.labels or each.name.startswith("localmesh_") for each in page)
    assert len({(each.name, *sorted(each.labels.items())) for each in page}) == len(page)


async def test_what_callers_send_makes_no_new_series(mesh: Mesh, lab: Lab) -> None:
    """Other methods, headers and hosts' names: what callers choose is in no label.

    A proxy may make a series meanwhile for something else that it does for the first time, but not again and again.
    """

    def series() -> tuple[set[str], float]:
        """Those of both proxies, and how many calls they count."""
        page = [each for each in samples(mesh) if each.labels.get("pod") in ("caller-0", "echo-v2-0")]
        calls = "envoy_cluster_upstream_rq_time_count"
        counted = sum(each.value for each in page if each.name == calls and each.labels["cluster_name"] == ECHO)
        return {f"{each.name} {sorted(each.labels.items())}" for each in page}, counted

    async def none_is_new() -> bool:
        """12 calls of new names, all of them counted."""
        before, calls = series()
        for method in (f"Call{uuid.uuid4().hex}" for _ in range(12)):
            await lab.call({}, method=method, headers={f"x-{method.lower()}": method})
        await eventually(lambda: series()[1] >= calls + 12, within=Limit.STARTED, what="all calls are counted")
        return series()[0] <= before

    with mesh.policy(virtual_service({"route": [to("v2")]})):
        await eventually(none_is_new, within=Limit.STARTED, what="no series is new")


async def test_denied_and_retried_calls_are_counted_where_that_happened(mesh: Mesh, lab: Lab) -> None:
    def denied() -> float:
        return value(mesh, "envoy_http_rbac_denied_total", workload="echo-v2")

    v2, before = virtual_service({"route": [to("v2")], "retries": {"attempts": 0}}), denied()
    with mesh.policy(v2, authorization("none", {"selector": {"matchLabels": {"app": "echo"}}})):
        with pytest.raises(Exception, match="PERMISSION_DENIED"):
            await lab.call({})
        await eventually(lambda: denied() > before, within=Limit.STARTED, what="the denial")
    retried = virtual_service({"route": [to("v2")], "retries": {"attempts": 2, "retryOn": "internal"}})
    with mesh.policy(retried):
        was = value(mesh, "envoy_cluster_upstream_rq_retry_total", workload="caller", cluster_name=ECHO)
        with pytest.raises(Exception, match="INTERNAL"):
            await lab.call({"fail": "INTERNAL"})
        await eventually(
            lambda: (
                value(mesh, "envoy_cluster_upstream_rq_retry_total", workload="caller", cluster_name=ECHO) == was + 2
            ),
            within=Limit.STARTED,
            what="two retries",
        )
