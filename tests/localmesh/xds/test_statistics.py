"""Envoy's statistics get the tags that Istio's have, and names with dots stay whole."""

import re

import pytest

from localmesh.observe.kept import FILTER
from localmesh.xds.statistics import TAGS

USER = "outbound|50051|v1|user.mesh.svc.cluster.local"


def _tagged(name: str) -> tuple[str, dict[str, str]]:
    """As Envoy does it: the first group is cut out of the name, the second is the tag's value."""
    tags, cuts = {}, []
    for tag, regex in TAGS.items():
        if found := re.search(regex, name):
            tags[tag] = found[2]
            cuts.append(found.span(1))
    for begin, end in sorted(cuts, reverse=True):
        name = name[:begin] + name[end:]
    return name, tags


@pytest.mark.parametrize(
    ("statistic", "name", "tags"),
    [
        (f"cluster.{USER};.upstream_cx_total", "cluster.upstream_cx_total", {"cluster_name": USER}),
        ("cluster.xds-grpc.upstream_cx_total", "cluster.upstream_cx_total", {"cluster_name": "xds-grpc"}),
        (
            f"cluster.{USER};.upstream_rq_503",
            "cluster.upstream_rq",
            {"cluster_name": USER, "response_code": "503"},
        ),
        (
            f"cluster.{USER};.upstream_rq_5xx",
            "cluster.upstream_rq",
            {"cluster_name": USER, "response_code_class": "5xx"},
        ),
        (f"cluster.{USER};.grpc.14", "cluster.grpc", {"cluster_name": USER, "grpc_response_status": "14"}),
        (
            "http.inbound_0.0.0.0_50051;.rbac.denied",
            "http.rbac.denied",
            {"http_conn_manager_prefix": "inbound_0.0.0.0_50051"},
        ),
        ("listener.127.16.1.4_50051.ssl.handshake", "listener.ssl.handshake", {"listener_address": "127.16.1.4_50051"}),
        (
            "tcp.outbound|5432||postgres.mesh.svc.cluster.local.downstream_cx_total",
            "tcp.downstream_cx_total",
            {"tcp_prefix": "outbound|5432||postgres.mesh.svc.cluster.local"},
        ),
    ],
)
def test_names_are_told_apart_from_what_is_counted(statistic: str, name: str, tags: dict[str, str]) -> None:
    assert _tagged(statistic) == (name, tags)
    assert re.fullmatch(FILTER, statistic) or "xds-grpc" in statistic or statistic.endswith("5xx")


@pytest.mark.parametrize(
    "statistic",
    [
        "cluster.xds-grpc.upstream_rq_total",
        f"cluster.{USER};.http2.streams_active",
        f"cluster.{USER};.external.upstream_rq_200",
        f"cluster.{USER};.grpc.user.v1.UserService.GetUser.0",
        "http.admin.downstream_rq_total",
        "listener.admin.downstream_cx_total",
        "vhost.user.vcluster.x.upstream_rq_200",
    ],
)
def test_what_is_not_listed_is_not_scraped(statistic: str) -> None:
    assert re.fullmatch(FILTER, statistic) is None
