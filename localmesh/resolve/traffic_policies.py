"""A DestinationRule's trafficPolicy, in our words; and how the policies of host, subset and port are laid together."""

from dataclasses import replace

from localmesh.manifests.istio.destination_rule import (
    ClientTLSSettings,
    ConnectionPoolSettings,
    ConsistentHashLB,
    HTTPSettings,
    LoadBalancerSettings,
    LocalityLoadBalancerSetting,
    OutlierDetection,
    TcpKeepalive,
    TCPSettings,
    TrafficPolicy,
)
from localmesh.mesh.upstreams import (
    ClientTls,
    ConsistentHash,
    Distribute,
    HashOn,
    LocalityBalancing,
    Outliers,
    Pool,
    RetryBudget,
    Simple,
    TlsMode,
    WarmUp,
)
from localmesh.resolve.settings import Settings

DEFAULT_RING_SIZE = 1024
BALANCERS = {
    "LEAST_REQUEST": Simple.LEAST_REQUEST,
    "LEAST_CONN": Simple.LEAST_REQUEST,
    "ROUND_ROBIN": Simple.ROUND_ROBIN,
    "RANDOM": Simple.RANDOM,
    "PASSTHROUGH": Simple.PASSTHROUGH,
}
TLS_MODES = {
    "DISABLE": TlsMode.DISABLE,
    "SIMPLE": TlsMode.SIMPLE,
    "MUTUAL": TlsMode.MUTUAL,
    "ISTIO_MUTUAL": TlsMode.ISTIO_MUTUAL,
}
NO_POLICY = TrafficPolicy()


def at_port(policy: TrafficPolicy | None, port: int) -> TrafficPolicy:
    """The policy of one port: an entry in portLevelSettings replaces all of it, TLS included."""
    return subset_at_port(NO_POLICY, policy, port)


def subset_at_port(parent: TrafficPolicy, policy: TrafficPolicy | None, port: int) -> TrafficPolicy:
    """A subset's policy at one port, over `parent` (the host's, at that port): field by field, its port entry whole."""
    if policy is None:
        return parent
    merged = replace(
        parent,
        load_balancer=policy.load_balancer or parent.load_balancer,
        connection_pool=policy.connection_pool or parent.connection_pool,
        outlier_detection=policy.outlier_detection or parent.outlier_detection,
        tls=policy.tls or parent.tls,
        tunnel=policy.tunnel or parent.tunnel,
        proxy_protocol=policy.proxy_protocol or parent.proxy_protocol,
        retry_budget=policy.retry_budget or parent.retry_budget,
    )
    for each in policy.port_level_settings:
        if each.port is not None and each.port.number == port:
            return replace(
                merged,
                load_balancer=each.load_balancer,
                connection_pool=each.connection_pool,
                outlier_detection=each.outlier_detection,
                tls=each.tls,
            )
    return merged


def balancer(written: LoadBalancerSettings | None) -> Simple | ConsistentHash:
    """LEAST_REQUEST unless something else is said."""
    if written is None:
        return Simple.LEAST_REQUEST
    if written.consistent_hash is not None:
        hashed = written.consistent_hash
        on = hash_on(hashed)
        if on is not None:
            return ConsistentHash(on, maglev=hashed.maglev is not None, size=_size(hashed))
    return BALANCERS.get(written.simple or "", Simple.LEAST_REQUEST)


def hash_on(written: ConsistentHashLB) -> HashOn | None:
    """What is hashed; None if nothing is named."""
    if written.http_header_name:
        return HashOn(header=written.http_header_name)
    if written.http_cookie is not None:
        cookie = written.http_cookie
        return HashOn(cookie=cookie.name, cookie_path=cookie.path or "", cookie_ttl=cookie.ttl)
    if written.http_query_parameter_name:
        return HashOn(query_parameter=written.http_query_parameter_name)
    return HashOn(source_ip=True) if written.use_source_ip else None


def warm_up(written: LoadBalancerSettings | None) -> WarmUp | None:
    """How a new endpoint's share grows."""
    if written is None:
        return None
    if written.warmup is not None:
        warmup = written.warmup
        percent = 10.0 if warmup.minimum_percent is None else warmup.minimum_percent
        return WarmUp(warmup.duration, percent, 1.0 if warmup.aggression is None else warmup.aggression)
    return None if written.warmup_duration_secs is None else WarmUp(written.warmup_duration_secs)


def locality(policy: TrafficPolicy, settings: Settings) -> LocalityBalancing | None:
    """Distribution always acts; failover (also by default to one's own locality first) only with outlier detection."""
    own = policy.load_balancer.locality_lb_setting if policy.load_balancer else None
    written: LocalityLoadBalancerSetting | None = own or settings.locality
    if written is None or written.enabled is False:
        return None
    if written.distribute:
        return LocalityBalancing(
            distribute=tuple(Distribute(each.from_ or "", tuple(each.to.items())) for each in written.distribute)
        )
    if policy.outlier_detection is None:
        return None
    return LocalityBalancing(
        failover=tuple((each.from_ or "", each.to or "") for each in written.failover),
        failover_priority=written.failover_priority,
    )


def pool(written: ConnectionPoolSettings | None, settings: Settings) -> Pool:
    """The limits, over the mesh's connect timeout, keep-alive and HTTP/2 upgrade."""
    tcp = (written.tcp if written else None) or TCPSettings()
    http = (written.http if written else None) or HTTPSettings()
    keepalive = tcp.tcp_keepalive or settings.tcp_keepalive
    probes = keepalive or TcpKeepalive()
    return Pool(
        max_connections=tcp.max_connections or None,
        connect_timeout=settings.connect_timeout if tcp.connect_timeout is None else tcp.connect_timeout,
        tcp_keepalive_probes=probes.probes,
        tcp_keepalive_time=probes.time,
        tcp_keepalive_interval=probes.interval,
        tcp_keepalive=keepalive is not None,
        max_connection_duration=tcp.max_connection_duration,
        tcp_idle_timeout=tcp.idle_timeout,
        max_pending_requests=http.http1_max_pending_requests or None,
        max_requests=http.http2_max_requests or None,
        max_requests_per_connection=http.max_requests_per_connection or None,
        max_retries=http.max_retries or None,
        max_concurrent_streams=http.max_concurrent_streams or None,
        idle_timeout=http.idle_timeout,
        http2_upgrade=_upgrade(http, settings),
        use_client_protocol=http.use_client_protocol,
    )


def outliers(written: OutlierDetection | None) -> Outliers | None:
    """When an endpoint rests; a counter of 0 is switched off, one not written is Envoy's."""
    if written is None:
        return None
    return Outliers(
        consecutive_5xx=written.consecutive_5xx_errors,
        consecutive_gateway_errors=written.consecutive_gateway_errors,
        consecutive_local_origin_failures=written.consecutive_local_origin_failures,
        split_local_origin=written.split_external_local_origin_errors,
        interval=written.interval,
        base_ejection_time=written.base_ejection_time,
        max_ejection_percent=written.max_ejection_percent,
        min_health_percent=written.min_health_percent or 0,
    )


def client_tls(written: ClientTLSSettings | None) -> ClientTls | None:
    """None: auto mTLS. A block without a mode is DISABLE."""
    if written is None:
        return None
    return ClientTls(
        mode=TLS_MODES[written.mode or "DISABLE"],
        sni=written.sni or "",
        subject_alt_names=written.subject_alt_names,
        client_certificate=written.client_certificate or "",
        private_key=written.private_key or "",
        ca_certificates=written.ca_certificates or "",
        ca_crl=written.ca_crl or "",
        credential_name=written.credential_name or "",
        insecure_skip_verify=written.insecure_skip_verify is True,
    )


def retry_budget(policy: TrafficPolicy) -> RetryBudget | None:
    """Istio's defaults: a fifth of the active requests, and never fewer than three."""
    written = policy.retry_budget
    if written is None:
        return None
    percent = 20.0 if written.percent is None else written.percent
    return RetryBudget(percent, 3 if written.min_retry_concurrency is None else written.min_retry_concurrency)


def proxy_protocol(policy: TrafficPolicy) -> str:
    """ "", "V1" or "V2"; a block without a version is V1."""
    return "" if policy.proxy_protocol is None else policy.proxy_protocol.version or "V1"


def _size(hashed: ConsistentHashLB) -> int | None:
    if hashed.maglev is not None:
        return hashed.maglev.table_size
    ring = hashed.ring_hash.minimum_ring_size if hashed.ring_hash else None
    return ring or hashed.minimum_ring_size or DEFAULT_RING_SIZE


def _upgrade(http: HTTPSettings, settings: Settings) -> bool | None:
    if http.h2_upgrade_policy in {"UPGRADE", "DO_NOT_UPGRADE"}:
        return http.h2_upgrade_policy == "UPGRADE"
    return True if settings.upgrade_http2 else None
