"""Clusters: how a proxy speaks to a service, to its own app, and to what it does not know."""

from collections.abc import Iterable

from envoy.config.cluster.v3 import circuit_breaker_pb2, cluster_pb2, outlier_detection_pb2
from envoy.config.core.v3 import address_pb2, base_pb2, extension_pb2, protocol_pb2
from envoy.extensions.network.dns_resolver.cares.v3 import cares_dns_resolver_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2
from envoy.type.v3 import percent_pb2
from google.protobuf import any_pb2, duration_pb2, struct_pb2

from localmesh.mesh import Mesh
from localmesh.mesh.pods import Inbound, Pod, Proxy
from localmesh.mesh.services import Resolution, Service
from localmesh.mesh.upstreams import LocalityBalancing, Outliers, Pool, RetryBudget, Simple, TlsMode, Upstream
from localmesh.xds import endpoints, names
from localmesh.xds.balancers import set_balancer
from localmesh.xds.sockets import set_sockets
from localmesh.xds.wire import ads, duration, pack, socket_address, uint32

HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
# Istio sets no limits where a DestinationRule sets none.
UNLIMITED = 2**32 - 1
DEFAULT_CONNECT_SECONDS = 10.0
PASSTHROUGH_IDLE_SECONDS = 300.0
# The address that a sidecar calls its app from, so that iptables lets it through.
INBOUND_SOURCE = "127.0.0.6"
LOOPBACK = "127.0.0.1:"
# Never forget an original destination: the app's own addresses do not come and go.
NEVER_SECONDS = 9_223_372_035.0

# A socket is used for so many questions, so that a resolver that stopped answering on it is left again.
_RESOLVER = extension_pb2.TypedExtensionConfig(
    name="envoy.network.dns_resolver.cares",
    typed_config=pack(cares_dns_resolver_pb2.CaresDnsResolverConfig(udp_max_queries=uint32(100))),
)
_Options = http_protocol_options_pb2.HttpProtocolOptions


def outbound(upstream: Upstream, mesh: Mesh, client: Pod) -> cluster_pb2.Cluster:
    """`outbound|<port>|<subset>|<host>`."""
    name = names.outbound_cluster(upstream.service.host, upstream.port.number, upstream.subset)
    cluster = cluster_pb2.Cluster(
        name=name,
        alt_stat_name=names.stat_name(name),
        connect_timeout=duration(_or(upstream.pool.connect_timeout, DEFAULT_CONNECT_SECONDS)),
        circuit_breakers=_breakers(upstream.pool, upstream.retry_budget),
        metadata=_metadata([upstream.service], upstream.subset),
        outlier_detection=_outliers(upstream.outliers),
        common_lb_config=_common(upstream),
        upstream_connection_options=_keepalive(upstream.pool),
        typed_extension_protocol_options=_protocol(upstream, client),
    )
    _set_discovery(cluster, upstream, client)
    set_balancer(cluster, upstream)
    set_sockets(cluster, upstream, mesh, client)
    return cluster


def inbound(port: Inbound) -> cluster_pb2.Cluster:
    """`inbound|<port>||`: the app, at the address that the caller dialed unless it is known to be elsewhere."""
    name = names.inbound_cluster(port.port)
    cluster = cluster_pb2.Cluster(
        name=name,
        alt_stat_name=names.stat_name(name),
        connect_timeout=duration(_or(port.pool.connect_timeout, DEFAULT_CONNECT_SECONDS)),
        circuit_breakers=_breakers(port.pool, None),
        metadata=_metadata([service for service, _ in port.services], ""),
        common_lb_config=cluster_pb2.Cluster.CommonLbConfig(),
        upstream_connection_options=_keepalive(port.pool),
        typed_extension_protocol_options=_inbound_protocol(port),
        upstream_bind_config=None if port.app.startswith(LOOPBACK) else bind(INBOUND_SOURCE),
    )
    if port.app:
        cluster.type = cluster_pb2.Cluster.STATIC
        cluster.load_assignment.CopyFrom(endpoints.of_app(name, port.app))
    else:
        cluster.type = cluster_pb2.Cluster.ORIGINAL_DST
        cluster.lb_policy = cluster_pb2.Cluster.CLUSTER_PROVIDED
        cluster.cleanup_interval.CopyFrom(duration(NEVER_SECONDS))
    return cluster


def constant(pod: Pod) -> Iterable[cluster_pb2.Cluster]:
    """What every proxy has: nowhere, and at a sidecar whatever the caller dialed, from both sides."""
    yield cluster_pb2.Cluster(
        name=names.BLACK_HOLE,
        alt_stat_name=names.stat_name(names.BLACK_HOLE),
        type=cluster_pb2.Cluster.STATIC,
        connect_timeout=duration(DEFAULT_CONNECT_SECONDS),
    )
    if pod.proxy is Proxy.SIDECAR:
        yield _passthrough(names.PASSTHROUGH, None)
        yield _passthrough(names.INBOUND_PASSTHROUGH, INBOUND_SOURCE)


def _passthrough(name: str, source: str | None) -> cluster_pb2.Cluster:
    options = _Options(
        common_http_protocol_options=protocol_pb2.HttpProtocolOptions(idle_timeout=duration(PASSTHROUGH_IDLE_SECONDS)),
        use_downstream_protocol_config=_as_client(),
    )
    return cluster_pb2.Cluster(
        name=name,
        alt_stat_name=names.stat_name(names.PASSTHROUGH),
        type=cluster_pb2.Cluster.ORIGINAL_DST,
        lb_policy=cluster_pb2.Cluster.CLUSTER_PROVIDED,
        connect_timeout=duration(DEFAULT_CONNECT_SECONDS),
        circuit_breakers=_breakers(Pool(), None),
        typed_extension_protocol_options={HTTP_OPTIONS: pack(options)},
        upstream_bind_config=bind(source) if source else None,
    )


def bind(source: str) -> address_pb2.BindConfig:
    """Connections that leave from this address."""
    return address_pb2.BindConfig(source_address=socket_address(source, 0).socket_address)


def follows_caller(upstream: Upstream, client: Pod) -> bool:
    """Whether calls go to the address that the app dialed. A gateway's callers dial the gateway: it is told."""
    follow = upstream.service.resolution is Resolution.PASSTHROUGH or upstream.balancer is Simple.PASSTHROUGH
    return follow and client.proxy is Proxy.SIDECAR


def is_told_endpoints(upstream: Upstream, client: Pod) -> bool:
    """Whether the control plane sends the endpoints (EDS)."""
    looked_up = upstream.service.resolution in {Resolution.DNS, Resolution.DNS_ROUND_ROBIN}
    return not looked_up and not follows_caller(upstream, client)


def _set_discovery(cluster: cluster_pb2.Cluster, upstream: Upstream, client: Pod) -> None:
    """How endpoints are found."""
    if follows_caller(upstream, client):
        cluster.type = cluster_pb2.Cluster.ORIGINAL_DST
        return
    if is_told_endpoints(upstream, client):
        cluster.type = cluster_pb2.Cluster.EDS
        cluster.eds_cluster_config.CopyFrom(
            cluster_pb2.Cluster.EdsClusterConfig(eds_config=ads(), service_name=cluster.name)
        )
        return
    each = upstream.service.resolution is Resolution.DNS
    cluster.type = cluster_pb2.Cluster.STRICT_DNS if each else cluster_pb2.Cluster.LOGICAL_DNS
    cluster.dns_lookup_family = cluster_pb2.Cluster.V4_ONLY
    cluster.dns_refresh_rate.CopyFrom(duration_pb2.Duration(seconds=60))
    cluster.dns_jitter.CopyFrom(duration(0.1))
    cluster.respect_dns_ttl = True
    cluster.typed_dns_resolver_config.CopyFrom(_RESOLVER)
    cluster.load_assignment.CopyFrom(endpoints.load_assignment(upstream, client))


def _breakers(pool: Pool, budget: RetryBudget | None) -> circuit_breaker_pb2.CircuitBreakers:
    retry_budget = None
    if budget is not None:
        retry_budget = circuit_breaker_pb2.CircuitBreakers.Thresholds.RetryBudget(
            budget_percent=percent_pb2.Percent(value=budget.percent),
            min_retry_concurrency=uint32(budget.minimum_concurrency),
        )
    # Zero is Istio's word for "not set" in these limits.
    limits = circuit_breaker_pb2.CircuitBreakers.Thresholds(
        max_connections=uint32(pool.max_connections or UNLIMITED),
        max_pending_requests=uint32(pool.max_pending_requests or UNLIMITED),
        max_requests=uint32(pool.max_requests or UNLIMITED),
        max_retries=uint32(pool.max_retries or UNLIMITED),
        track_remaining=False,
        retry_budget=retry_budget,
    )
    return circuit_breaker_pb2.CircuitBreakers(thresholds=[limits])


def _metadata(services: list[Service], subset: str) -> base_pb2.Metadata:
    """Which services the cluster stands for, for telemetry."""
    istio = struct_pb2.Struct()
    listed = [{"host": one.host, "name": one.name, "namespace": one.namespace} for one in services]
    istio.update({"services": listed} if listed else {})
    if subset:
        istio["subset"] = subset
    return base_pb2.Metadata(filter_metadata={"istio": istio})


def _outliers(outliers: Outliers | None) -> outlier_detection_pb2.OutlierDetection | None:
    if outliers is None:
        return None
    made = outlier_detection_pb2.OutlierDetection(
        consecutive_5xx=uint32(outliers.consecutive_5xx),
        enforcing_consecutive_5xx=_enforcing(outliers.consecutive_5xx),
        consecutive_gateway_failure=uint32(outliers.consecutive_gateway_errors),
        enforcing_consecutive_gateway_failure=_enforcing(outliers.consecutive_gateway_errors),
        interval=duration(outliers.interval),
        base_ejection_time=duration(outliers.base_ejection_time),
        max_ejection_percent=uint32(outliers.max_ejection_percent),
        enforcing_success_rate=uint32(0),
    )
    if outliers.split_local_origin:
        made.split_external_local_origin_errors = True
        made.enforcing_local_origin_success_rate.value = 0
        if outliers.consecutive_local_origin_failures is not None:
            made.consecutive_local_origin_failure.value = outliers.consecutive_local_origin_failures
            made.enforcing_consecutive_local_origin_failure.value = 100
    return made


def _enforcing(threshold: int | None) -> object:
    """A counter that is set is enforced, one set to 0 is switched off."""
    return None if threshold is None else uint32(100 if threshold else 0)


def _common(upstream: Upstream) -> cluster_pb2.Cluster.CommonLbConfig:
    """Panic only where asked for: with outlier detection Envoy's own threshold would undo the ejections."""
    common = cluster_pb2.Cluster.CommonLbConfig()
    if upstream.outliers is not None:
        common.healthy_panic_threshold.value = upstream.outliers.min_health_percent
    if upstream.locality is not None and upstream.locality != LocalityBalancing():
        common.locality_weighted_lb_config.SetInParent()
    return common


def _keepalive(pool: Pool) -> cluster_pb2.UpstreamConnectionOptions | None:
    if not pool.tcp_keepalive:
        return None
    seconds = (pool.tcp_keepalive_time, pool.tcp_keepalive_interval)
    time, interval = (None if one is None else int(one) for one in seconds)
    return cluster_pb2.UpstreamConnectionOptions(
        tcp_keepalive=address_pb2.TcpKeepalive(
            keepalive_probes=uint32(pool.tcp_keepalive_probes),
            keepalive_time=uint32(time),
            keepalive_interval=uint32(interval),
        )
    )


def _protocol(upstream: Upstream, client: Pod) -> dict[str, any_pb2.Any]:
    """HTTP options; none where HTTP/1.1 without further settings says it all.

    A port of unknown protocol is called by a sidecar as the sidecar was called, and by a gateway with HTTP/1.1.
    """
    tls = upstream.tls
    originates = tls is not None and tls.mode in {TlsMode.SIMPLE, TlsMode.MUTUAL} and not tls.sni
    as_client = upstream.pool.use_client_protocol or (
        upstream.sniffed and not upstream.http2 and client.proxy is Proxy.SIDECAR
    )
    options = _options(upstream.pool, upstream.http2, as_client)
    if originates and tls is not None:
        options = options or _Options(explicit_http_config=_http1())
        options.upstream_http_protocol_options.auto_sni = True
        options.upstream_http_protocol_options.auto_san_validation = not tls.insecure_skip_verify
    return {} if options is None else {HTTP_OPTIONS: pack(options)}


def _inbound_protocol(port: Inbound) -> dict[str, any_pb2.Any]:
    as_client = port.pool.use_client_protocol or port.protocol.is_sniffed
    options = _options(port.pool, port.protocol.is_http2, as_client)
    return {} if options is None else {HTTP_OPTIONS: pack(options)}


def _options(pool: Pool, http2: bool, as_client: bool) -> http_protocol_options_pb2.HttpProtocolOptions | None:
    common = _common_http(pool)
    if not (http2 or as_client or common):
        return None
    streams = uint32(pool.max_concurrent_streams or None)
    made = _Options(common_http_protocol_options=common)
    if as_client:
        made.use_downstream_protocol_config.CopyFrom(_as_client())
    elif http2:
        made.explicit_http_config.http2_protocol_options.CopyFrom(
            protocol_pb2.Http2ProtocolOptions(max_concurrent_streams=streams)
        )
    else:
        made.explicit_http_config.CopyFrom(_http1())
    return made


def _common_http(pool: Pool) -> protocol_pb2.HttpProtocolOptions | None:
    # The TCP pool's idle time is the cluster's where the HTTP pool sets none.
    idle = pool.tcp_idle_timeout if pool.idle_timeout is None else pool.idle_timeout
    if idle is None and pool.max_connection_duration is None and not pool.max_requests_per_connection:
        return None
    return protocol_pb2.HttpProtocolOptions(
        idle_timeout=duration(idle),
        max_connection_duration=duration(pool.max_connection_duration),
        max_requests_per_connection=uint32(pool.max_requests_per_connection or None),
    )


def _http1() -> http_protocol_options_pb2.HttpProtocolOptions.ExplicitHttpConfig:
    return _Options.ExplicitHttpConfig(http_protocol_options=protocol_pb2.Http1ProtocolOptions())


def _as_client() -> http_protocol_options_pb2.HttpProtocolOptions.UseDownstreamHttpConfig:
    return _Options.UseDownstreamHttpConfig(
        http_protocol_options=protocol_pb2.Http1ProtocolOptions(),
        http2_protocol_options=protocol_pb2.Http2ProtocolOptions(),
    )


def _or(value: float | None, default: float) -> float:
    return default if value is None else value
