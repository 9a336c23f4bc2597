"""How an Envoy's statistics are named and counted, as Istio's proxies have it: so that one dashboard reads both.

Envoy's own rules take a service's name apart at its dots. These are those of Istio's bootstrap
(tools/packaging/common/envoy_bootstrap.json): `envoy_cluster_upstream_rq_total{cluster_name="outbound|80||user.mesh"}`.
"""

from envoy.config.metrics.v3 import stats_pb2
from envoy.type.matcher.v3 import string_pb2

# tag -> what of a statistic's name is cut out (the first group) and becomes the tag's value (the second).
TAGS = {
    "cluster_name": r"^cluster\.(([^|.;]+|[^;]+(?=;));?\.)",
    "tcp_prefix": r"^tcp\.((.*?)\.)\w+?$",
    "response_code": r"_rq(_(\d{3}))$",
    "response_code_class": r"_rq(_(\dxx))$",
    "grpc_response_status": r"^cluster\..+\.grpc(\.(\d+))$",
    "http_conn_manager_prefix": r"^http\.(([^;]+);\.)",
    "listener_address": r"^listener\.(([_.\d]+)\.)",
}
# Of the time of a call, in milliseconds. Envoy's own go from 1 to 5 to 10, where most calls of a mesh are.
TIMES_MS = (1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 75, 100, 150, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000)


def stats_config() -> stats_pb2.StatsConfig:
    """The tags, and the buckets of the time of calls."""
    return stats_pb2.StatsConfig(
        use_all_default_tags={"value": False},
        stats_tags=[stats_pb2.TagSpecifier(tag_name=name, regex=regex) for name, regex in TAGS.items()],
        histogram_bucket_settings=[
            stats_pb2.HistogramBucketSettings(
                match=string_pb2.StringMatcher(suffix="stream_rq_time"), buckets=map(float, TIMES_MS)
            )
        ],
    )
