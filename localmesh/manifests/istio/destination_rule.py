"""DestinationRule: how a client side treats the endpoints of a host (networking.istio.io)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from localmesh.manifests.istio.common import LabelSelector, PortSelector
from localmesh.manifests.record import (
    Duration,
    IdleTimeout,
    Int32,
    Port,
    Record,
    Resource,
    Share,
    Timeout,
    UInt32,
    UInt64,
    empty_map,
)

SimpleLB = Literal["UNSPECIFIED", "LEAST_CONN", "RANDOM", "PASSTHROUGH", "ROUND_ROBIN", "LEAST_REQUEST"]
H2UpgradePolicy = Literal["DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"]
ClientTLSMode = Literal["DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RingHash(Record):
    """Ring hash; the ring has at least this many entries (1024 when absent)."""

    minimum_ring_size: UInt64 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MagLev(Record):
    """Maglev; the table size is a prime."""

    table_size: UInt64 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CookieAttribute(Record):
    """An attribute of the cookie that is made, such as SameSite."""

    name: str
    value: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPCookie(Record):
    """The cookie to hash; made by the proxy when absent and `ttl` is set."""

    name: str
    path: str | None = None
    ttl: Duration | None = None
    attributes: tuple[CookieAttribute, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsistentHashLB(Record):
    """At most one of the hash keys, at most one of the algorithms. `minimum_ring_size` is the older spelling."""

    AT_MOST_ONE: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("http_header_name", "http_cookie", "use_source_ip", "http_query_parameter_name"),
        ("ring_hash", "maglev"),
    )

    http_header_name: str | None = None
    http_cookie: HTTPCookie | None = None
    use_source_ip: bool | None = None
    http_query_parameter_name: str | None = None
    ring_hash: RingHash | None = None
    maglev: MagLev | None = None
    minimum_ring_size: UInt64 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribute(Record):
    """Traffic from one locality is split over others, in percent."""

    from_: str | None = None
    to: Mapping[str, UInt32] = empty_map()


@dataclass(frozen=True, slots=True, kw_only=True)
class Failover(Record):
    """The region that stands in when `from` is unhealthy."""

    from_: str | None = None
    to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalityLoadBalancerSetting(Record):
    """Locality rules: at most one of distribute, failover (which may go with failoverPriority)."""

    distribute: tuple[Distribute, ...] = ()
    failover: tuple[Failover, ...] = ()
    failover_priority: tuple[str, ...] = ()
    enabled: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmupConfiguration(Record):
    """New endpoints get their full share only after `duration`."""

    duration: Timeout
    minimum_percent: float | None = None
    aggression: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadBalancerSettings(Record):
    """At most one of `simple` and `consistent_hash`. `warmup_duration_secs` is the older spelling of `warmup`."""

    AT_MOST_ONE: ClassVar[tuple[tuple[str, ...], ...]] = (("simple", "consistent_hash"),)

    simple: SimpleLB | None = None
    consistent_hash: ConsistentHashLB | None = None
    locality_lb_setting: LocalityLoadBalancerSetting | None = None
    warmup_duration_secs: Timeout | None = None
    warmup: WarmupConfiguration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpKeepalive(Record):
    """TCP keep-alive probes."""

    probes: UInt32 | None = None
    time: Timeout | None = None
    interval: Timeout | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TCPSettings(Record):
    """Connection limits and times, for HTTP as well."""

    max_connections: Int32 | None = None
    connect_timeout: Timeout | None = None
    tcp_keepalive: TcpKeepalive | None = None
    max_connection_duration: Timeout | None = None
    idle_timeout: IdleTimeout | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPSettings(Record):
    """Request limits."""

    http1_max_pending_requests: Int32 | None = None
    http2_max_requests: Int32 | None = None
    max_requests_per_connection: Int32 | None = None
    max_retries: Int32 | None = None
    idle_timeout: Timeout | None = None
    h2_upgrade_policy: H2UpgradePolicy | None = None
    use_client_protocol: bool = False
    max_concurrent_streams: Int32 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionPoolSettings(Record):
    """Limits of the connections and requests to a host."""

    tcp: TCPSettings | None = None
    http: HTTPSettings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlierDetection(Record):
    """When an endpoint is put aside. `consecutive_errors` is deprecated and has no effect."""

    consecutive_errors: Int32 | None = None
    split_external_local_origin_errors: bool = False
    consecutive_local_origin_failures: UInt32 | None = None
    consecutive_gateway_errors: UInt32 | None = None
    consecutive_5xx_errors: UInt32 | None = None
    interval: Timeout | None = None
    base_ejection_time: Timeout | None = None
    max_ejection_percent: Share | None = None
    min_health_percent: Share | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTLSSettings(Record):
    """TLS of the client side. An absent mode is DISABLE."""

    mode: ClientTLSMode | None = None
    client_certificate: str | None = None
    private_key: str | None = None
    ca_certificates: str | None = None
    credential_name: str | None = None
    subject_alt_names: tuple[str, ...] = ()
    sni: str | None = None
    insecure_skip_verify: bool | None = None
    ca_crl: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PortTrafficPolicy(Record):
    """What replaces the whole policy for one port of the service."""

    port: PortSelector | None = None
    load_balancer: LoadBalancerSettings | None = None
    connection_pool: ConnectionPoolSettings | None = None
    outlier_detection: OutlierDetection | None = None
    tls: ClientTLSSettings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TunnelSettings(Record):
    """Tunnel the connection through a proxy by CONNECT or POST."""

    target_host: str
    target_port: Port
    protocol: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyProtocol(Record):
    """Send the PROXY protocol header. An absent version is V1."""

    version: Literal["V1", "V2"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryBudget(Record):
    """Retries in flight as a share (percent) of the active requests."""

    percent: float | None = None
    min_retry_concurrency: UInt32 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficPolicy(Record):
    """What applies to all ports of a host or subset, and what replaces it for single ports."""

    load_balancer: LoadBalancerSettings | None = None
    connection_pool: ConnectionPoolSettings | None = None
    outlier_detection: OutlierDetection | None = None
    tls: ClientTLSSettings | None = None
    port_level_settings: tuple[PortTrafficPolicy, ...] = ()
    tunnel: TunnelSettings | None = None
    proxy_protocol: ProxyProtocol | None = None
    retry_budget: RetryBudget | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subset(Record):
    """A named part of a host's endpoints, by labels."""

    name: str
    labels: Mapping[str, str] = empty_map()
    traffic_policy: TrafficPolicy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationRuleSpec(Record):
    """The policy of a host and of its subsets."""

    host: str
    traffic_policy: TrafficPolicy | None = None
    subsets: tuple[Subset, ...] = ()
    export_to: tuple[str, ...] = ()
    workload_selector: LabelSelector | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationRule(Resource):
    """A DestinationRule document."""

    spec: DestinationRuleSpec
