"""Arrows from two readings of what proxies have counted."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from localmesh.observe.edges import OUTSIDE, Edge, Target, edges
from localmesh.observe.latency import Latency
from localmesh.observe.readings import Asked, ProxyReading, Reading, parsed, read

USER = "cluster.outbound|50051|v1|user.mesh.svc.cluster.local;."
CHAT = Asked("mesh/chat-0", "mesh/chat", "127.0.0.2", Path("/nowhere"))
GATEWAY = replace(CHAT, pod="mesh/gateway-0", workload="mesh/gateway", address="127.0.0.9", gateway=True)
SERVER = replace(CHAT, pod="mesh/user-v1-0", workload="mesh/user-v1", address="127.0.0.3")
PODS = (CHAT, GATEWAY, SERVER)


def _stats(prefix: str = USER, buckets: tuple[tuple[float, int], ...] = (), **values: int) -> dict[str, Any]:
    """As Envoy's `/stats?format=json&histogram_buckets=disjoint` says it; `__` stands for a dot."""
    plain = [{"name": prefix + name.replace("__", "."), "value": value} for name, value in values.items()]
    times = [{"upper_bound": bound, "interval": 0, "cumulative": count} for bound, count in buckets]
    direction = "down" if prefix.startswith("http.") else "up"
    histogram = {"name": f"{prefix}{direction}stream_rq_time", "buckets": times}
    return {"stats": [*plain, *([{"histograms": [histogram]}] if times else [])]}


def _clusters(address: str, **stats: int) -> dict[str, Any]:
    """As Envoy's `/clusters?format=json` says it, zeros left out."""
    host = {
        "address": {"socket_address": {"address": address, "port_value": 50051}},
        "stats": [{"name": name, "value": str(value)} if value else {"name": name} for name, value in stats.items()],
    }
    return {
        "cluster_statuses": [
            {"name": "outbound|50051|v1|user.mesh.svc.cluster.local", "host_statuses": [host]},
            {"name": "xds-grpc", "host_statuses": [{"address": {"pipe": {"path": "/ads"}}, "stats": []}]},
        ]
    }


def _edges(before: ProxyReading, after: ProxyReading) -> tuple[Edge, ...]:
    """The server's own proxy is silent."""
    return edges(Reading(10.0, (before,)), Reading(12.0, (after,)), PODS)


def test_an_arrow_counts_what_came_between_the_two_readings() -> None:
    before = parsed(
        CHAT,
        _stats(upstream_cx_total=1, ssl__handshake=1, upstream_rq_completed=4, grpc__0=4, buckets=((5, 4), (10, 0))),
        _clusters("127.0.0.3", rq_total=4),
    )
    after = parsed(
        CHAT,
        _stats(
            upstream_cx_total=2,
            ssl__handshake=2,
            upstream_rq_completed=10,
            upstream_rq_active=2,
            grpc__0=6,
            grpc__14=1,
            grpc__7=3,
            buckets=((5, 6), (10, 4)),
        ),
        _clusters("127.0.0.3", rq_total=11),
    )
    (edge,) = _edges(before, after)
    assert (edge.source_workload, edge.service, edge.workloads) == ("mesh/chat", "mesh/user", ("mesh/user-v1",))
    assert edge.targets == (Target("mesh/user-v1-0", 7),)
    assert edge.mtls is True
    calls = edge.calls
    assert (calls.seconds, calls.http, calls.requests, calls.active) == (2.0, True, 6, 2)
    assert (calls.errors, calls.denied) == (1, 3)
    assert calls.latency == Latency((5.0, 10.0), (2, 4))


def test_a_proxy_that_was_started_again_counts_from_zero() -> None:
    before = parsed(CHAT, _stats(upstream_cx_total=9, upstream_rq_completed=90, upstream_rq_200=90), {})
    after = parsed(CHAT, _stats(upstream_cx_total=1, upstream_rq_completed=3, upstream_rq_503=3), {})
    (edge,) = _edges(before, after)
    assert (edge.calls.requests, edge.calls.errors) == (3, 3)


def test_a_port_that_was_never_connected_to_has_no_arrow() -> None:
    silent = parsed(CHAT, _stats(upstream_cx_total=0, upstream_rq_completed=0), {})
    assert _edges(silent, silent) == ()


def test_of_tcp_connections_are_counted() -> None:
    before = parsed(CHAT, _stats(upstream_cx_total=1, upstream_cx_active=1), _clusters("127.0.0.3", cx_total=1))
    after = parsed(CHAT, _stats(upstream_cx_total=3, upstream_cx_active=2), _clusters("127.0.0.3", cx_total=3))
    (edge,) = _edges(before, after)
    assert (edge.calls.http, edge.calls.requests, edge.calls.active) == (False, 2, 2)
    assert edge.targets == (Target("mesh/user-v1-0", 2),)


@pytest.mark.parametrize(
    ("handshakes", "plain", "mtls"), [(1, 0, True), (0, 0, False), (1, 1, False)], ids=["all", "none", "some"]
)
def test_the_lock_is_shown_only_where_every_host_is_spoken_to_in_mtls(handshakes: int, plain: int, mtls: bool) -> None:
    stats = _stats(upstream_cx_total=2, ssl__handshake=handshakes)
    stats["stats"].append({"name": f"{USER}tlsMode-disabled.total_match_count", "value": plain})
    (edge,) = _edges(parsed(CHAT, stats, {}), parsed(CHAT, stats, {}))
    assert edge.mtls is mtls


def test_tls_to_a_host_elsewhere_is_no_mutual_tls() -> None:
    reading = parsed(CHAT, _stats(upstream_cx_total=1, ssl__handshake=1), _clusters("192.0.2.1", cx_total=1))
    (edge,) = _edges(reading, reading)
    assert edge.mtls is False


def test_what_comes_from_outside_is_an_arrow_into_the_gateway() -> None:
    prefix = "http.outbound_0.0.0.0_8080;."
    before = parsed(GATEWAY, _stats(prefix, downstream_cx_total=1), {})
    after = parsed(
        GATEWAY,
        _stats(
            prefix,
            downstream_cx_total=1,
            downstream_rq_completed=5,
            downstream_rq_2xx=4,
            downstream_rq_5xx=1,
            rbac__denied=1,
            jwt_authn__denied=1,
            buckets=((5, 5),),
        ),
        {},
    )
    (edge,) = _edges(before, after)
    assert (edge.source_workload, edge.workloads, edge.mtls) == (OUTSIDE, ("mesh/gateway",), None)
    assert (edge.calls.requests, edge.calls.errors, edge.calls.denied) == (5, 1, 2)
    assert edge.calls.latency.quantile(1.0) == 5.0


def test_the_own_calls_of_a_sidecar_come_from_no_outside() -> None:
    reading = parsed(CHAT, _stats("http.outbound_0.0.0.0_50051;.", downstream_cx_total=1), {})
    assert _edges(reading, reading) == ()


def test_a_host_that_is_no_pod_is_told_by_its_address() -> None:
    reading = parsed(CHAT, _stats(upstream_cx_total=1), _clusters("192.0.2.1", cx_total=1))
    (edge,) = _edges(reading, reading)
    assert (edge.workloads, edge.targets) == ((), (Target("192.0.2.1", 0),))


async def test_a_proxy_that_does_not_answer_is_left_out() -> None:
    assert (await read([CHAT])).proxies == ()


def test_quantiles_are_taken_inside_a_bucket_in_proportion() -> None:
    latency = Latency((10.0, 20.0), (1, 1))
    assert latency.quantile(0.25) == 5.0
    assert latency.quantile(0.75) == 15.0
    assert latency.quantile(1.0) == 20.0
    assert Latency().quantile(0.5) is None
    assert Latency((10.0,), (0,)).quantile(0.5) is None


def test_latencies_of_several_arrows_add_up() -> None:
    assert Latency((1.0, 2.0), (1, 2)) + Latency((1.0, 2.0), (3, 4)) == Latency((1.0, 2.0), (4, 6))
    assert Latency() + Latency((1.0,), (1,)) == Latency((1.0,), (1,)) + Latency()
