"""Arrows between workloads, from edges between pods and services."""

from dataclasses import replace

import pytest

from localmesh.dashboard.arrows import arrows
from localmesh.observe.edges import OUTSIDE, Calls, Edge, Target
from localmesh.observe.latency import Latency

WORKLOADS = {"mesh/chat-0": "mesh/chat", "mesh/user-v1-0": "mesh/user-v1", "mesh/user-v2-0": "mesh/user-v2"}
CALLS = Calls(
    seconds=2.0,
    http=True,
    requests=20,
    errors=2,
    denied=4,
    latency=Latency((1.0, 10.0), (10, 10)),
    active=3,
)
EDGE = Edge(
    source_workload="mesh/gateway",
    host="chat.mesh.svc.cluster.local",
    workloads=("mesh/chat",),
    targets=(Target("mesh/chat-0", 20),),
    mtls=True,
    calls=CALLS,
)


def test_counts_become_rates_per_second() -> None:
    (arrow,) = arrows([EDGE], WORKLOADS)
    assert (arrow.source, arrow.target) == ("mesh/gateway", "mesh/chat")
    assert (arrow.rate, arrow.errors, arrow.denied, arrow.active) == (10, 1, 2, 3)


def test_the_pods_of_a_workload_make_one_arrow_with_the_latencies_of_both() -> None:
    slow = replace(CALLS, latency=Latency((1.0, 10.0), (0, 20)))
    (arrow,) = arrows([EDGE, replace(EDGE, calls=slow)], WORKLOADS)
    assert arrow.rate == 20
    assert arrow.p50_ms == pytest.approx(4.0)  # the 20th of 40: the tenth of thirty between 1 and 10 ms
    assert arrow.p99_ms == pytest.approx(9.88)


def test_an_edge_to_two_workloads_is_split_as_its_requests_were() -> None:
    both = replace(
        EDGE,
        workloads=("mesh/user-v1", "mesh/user-v2"),
        targets=(Target("mesh/user-v1-0", 15), Target("mesh/user-v2-0", 5)),
    )
    assert {arrow.target: (arrow.rate, arrow.active) for arrow in arrows([both], WORKLOADS)} == {
        "mesh/user-v1": (7.5, 2),
        "mesh/user-v2": (2.5, 1),
    }


def test_without_requests_both_workloads_keep_their_arrows() -> None:
    quiet = replace(CALLS, requests=0, errors=0, denied=0, latency=Latency())
    both = replace(
        EDGE,
        workloads=("mesh/user-v1", "mesh/user-v2"),
        targets=(Target("mesh/user-v1-0", 0), Target("mesh/user-v2-0", 0)),
        calls=quiet,
    )
    found = arrows([both], WORKLOADS)
    assert [(arrow.target, arrow.rate, arrow.p50_ms) for arrow in found] == [
        ("mesh/user-v1", 0, None),
        ("mesh/user-v2", 0, None),
    ]


@pytest.mark.parametrize(
    ("seen", "shown"), [((True, True), True), ((True, False), False), ((None, None), None)], ids=str
)
def test_the_lock_is_there_only_if_every_connection_is_mutual_tls(
    seen: tuple[bool | None, ...], shown: bool | None
) -> None:
    edges = [replace(EDGE, mtls=mtls) for mtls in seen]
    (arrow,) = arrows(edges, WORKLOADS)
    assert arrow.mtls is shown


def test_a_service_that_is_no_workload_here_is_called_by_its_name() -> None:
    outside = replace(EDGE, host="api.example.com", workloads=(), targets=(Target("203.0.113.7", 20),))
    assert [arrow.target for arrow in arrows([outside], WORKLOADS)] == ["api.example.com"]


def test_spans_on_their_way_to_localmesh_itself_are_no_arrow() -> None:
    spans = replace(EDGE, host="jaeger.observability.svc.cluster.local", workloads=(), targets=(Target("", 20),))
    assert arrows([spans], WORKLOADS) == []


def test_who_calls_a_gateway_from_outside_has_an_arrow_too() -> None:
    entry = replace(EDGE, source_workload=OUTSIDE, host="", workloads=("mesh/gateway",), mtls=None)
    (arrow,) = arrows([entry], WORKLOADS)
    assert (arrow.source, arrow.target, arrow.mtls) == ("", "mesh/gateway", None)


def test_two_readings_at_the_same_time_are_no_division_by_zero() -> None:
    (arrow,) = arrows([replace(EDGE, calls=replace(CALLS, seconds=0.0, requests=0))], WORKLOADS)
    assert arrow.rate == 0
