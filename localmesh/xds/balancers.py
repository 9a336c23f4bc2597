"""How a cluster picks one of its endpoints."""

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import base_pb2
from envoy.type.v3 import percent_pb2

from localmesh.mesh.upstreams import ConsistentHash, Simple, Upstream, WarmUp
from localmesh.xds.wire import duration, uint64

_Cluster = cluster_pb2.Cluster
_POLICIES = {
    Simple.LEAST_REQUEST: _Cluster.LEAST_REQUEST,
    Simple.ROUND_ROBIN: _Cluster.ROUND_ROBIN,
    Simple.RANDOM: _Cluster.RANDOM,
    Simple.PASSTHROUGH: _Cluster.LEAST_REQUEST,
}
# Istio's smallest ring; Envoy's own would be the same.
DEFAULT_RING = 1024


def set_balancer(cluster: cluster_pb2.Cluster, upstream: Upstream) -> None:
    """Sets the policy of a cluster whose type is set already."""
    balancer = upstream.balancer
    if cluster.type == _Cluster.ORIGINAL_DST:
        cluster.lb_policy = _Cluster.CLUSTER_PROVIDED
    elif isinstance(balancer, ConsistentHash):
        _set_hash(cluster, balancer)
    else:
        cluster.lb_policy = _POLICIES[balancer]
        _set_warm_up(cluster, upstream.warm_up)


def _set_hash(cluster: cluster_pb2.Cluster, balancer: ConsistentHash) -> None:
    if balancer.maglev:
        cluster.lb_policy = _Cluster.MAGLEV
        cluster.maglev_lb_config.SetInParent()
        if balancer.size is not None:
            cluster.maglev_lb_config.table_size.CopyFrom(uint64(balancer.size))
        return
    cluster.lb_policy = _Cluster.RING_HASH
    size = DEFAULT_RING if balancer.size is None else balancer.size
    cluster.ring_hash_lb_config.minimum_ring_size.CopyFrom(uint64(size))


def _set_warm_up(cluster: cluster_pb2.Cluster, warm_up: WarmUp | None) -> None:
    if warm_up is None:
        return
    slow_start = _Cluster.SlowStartConfig(
        slow_start_window=duration(warm_up.duration),
        aggression=base_pb2.RuntimeDouble(default_value=warm_up.aggression, runtime_key="(")
        if warm_up.aggression != 1.0
        else None,
        min_weight_percent=percent_pb2.Percent(value=warm_up.minimum_percent)
        if warm_up.minimum_percent != 10.0
        else None,
    )
    if cluster.lb_policy == _Cluster.LEAST_REQUEST:
        cluster.least_request_lb_config.slow_start_config.CopyFrom(slow_start)
    elif cluster.lb_policy == _Cluster.ROUND_ROBIN:
        cluster.round_robin_lb_config.slow_start_config.CopyFrom(slow_start)
