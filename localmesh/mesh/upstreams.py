"""How a client pod speaks to one subset of one port of a service: a cluster, in Envoy's word."""

from dataclasses import dataclass, field
from enum import Enum

from localmesh.errors import Where
from localmesh.mesh.identity import Labels, Protocol, Seconds
from localmesh.mesh.services import Endpoint, Service, ServicePort


class Simple(Enum):
    """Balancers without further settings."""

    LEAST_REQUEST = "least-request"
    ROUND_ROBIN = "round-robin"
    RANDOM = "random"
    PASSTHROUGH = "passthrough"


@dataclass(frozen=True, slots=True)
class HashOn:
    """What a consistent hash is taken of: exactly one of these. A cookie with a TTL is made where it is missing."""

    header: str | None = None
    cookie: str | None = None
    cookie_path: str = ""
    cookie_ttl: Seconds | None = None
    source_ip: bool = False
    query_parameter: str | None = None


@dataclass(frozen=True, slots=True)
class ConsistentHash:
    """The same hash goes to the same endpoint for as long as it is there."""

    on: HashOn
    maglev: bool = False
    # Ring: smallest ring (Istio's default 1024). Maglev: table size, None for Envoy's default.
    size: int | None = None


@dataclass(frozen=True, slots=True)
class WarmUp:
    """A new endpoint's share grows over this time."""

    duration: Seconds
    minimum_percent: float = 10.0
    aggression: float = 1.0


@dataclass(frozen=True, slots=True)
class Distribute:
    """From a locality (`region/zone/*`) so many percent to each of these."""

    source: str
    to: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class LocalityBalancing:
    """Where calls go first. At most one of these is set; none: own locality first (with outlier detection only)."""

    distribute: tuple[Distribute, ...] = ()
    failover: tuple[tuple[str, str], ...] = ()
    failover_priority: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pool:
    """Limits of the connections to one cluster; None: as Envoy, or unlimited as Istio sets it."""

    max_connections: int | None = None
    connect_timeout: Seconds | None = None
    tcp_keepalive_probes: int | None = None
    tcp_keepalive_time: Seconds | None = None
    tcp_keepalive_interval: Seconds | None = None
    tcp_keepalive: bool = False
    max_connection_duration: Seconds | None = None
    tcp_idle_timeout: Seconds | None = None
    max_pending_requests: int | None = None
    max_requests: int | None = None
    max_requests_per_connection: int | None = None
    max_retries: int | None = None
    max_concurrent_streams: int | None = None
    idle_timeout: Seconds | None = None
    # True: UPGRADE, False: DO_NOT_UPGRADE, None: as the port's protocol says.
    http2_upgrade: bool | None = None
    use_client_protocol: bool = False


@dataclass(frozen=True, slots=True)
class RetryBudget:
    """Retries in flight as a share of active requests. (Istio: trafficPolicy.retryBudget)"""

    percent: float = 20.0
    minimum_concurrency: int = 3


@dataclass(frozen=True, slots=True)
class Outliers:
    """When an endpoint is taken out for a while. None: the field was not set; 0 switches a counter off."""

    consecutive_5xx: int | None = None
    consecutive_gateway_errors: int | None = None
    consecutive_local_origin_failures: int | None = None
    split_local_origin: bool = False
    interval: Seconds | None = None
    base_ejection_time: Seconds | None = None
    max_ejection_percent: int | None = None
    min_health_percent: int = 0


class TlsMode(Enum):
    """What a client speaks."""

    DISABLE = "disable"
    SIMPLE = "simple"
    MUTUAL = "mutual"
    ISTIO_MUTUAL = "istio-mutual"


@dataclass(frozen=True, slots=True)
class ClientTls:
    """A DestinationRule's tls block."""

    mode: TlsMode
    sni: str = ""
    subject_alt_names: tuple[str, ...] = ()
    client_certificate: str = ""
    private_key: str = ""
    ca_certificates: str = ""
    ca_crl: str = ""
    credential_name: str = ""
    insecure_skip_verify: bool = False

    @property
    def is_ordinary(self) -> bool:
        """TLS as outside the mesh, with certificates that are not the mesh's own."""
        return self.mode in {TlsMode.SIMPLE, TlsMode.MUTUAL}


@dataclass(frozen=True, slots=True)
class Upstream:
    """One cluster as one client sees it."""

    service: Service
    port: ServicePort
    subset: str = ""
    labels: Labels = field(default_factory=dict)  # of the subset
    endpoints: tuple[Endpoint, ...] = ()  # of the subset; also those not ready
    balancer: Simple | ConsistentHash = Simple.LEAST_REQUEST
    warm_up: WarmUp | None = None
    locality: LocalityBalancing | None = None  # None: localities are ignored
    pool: Pool = Pool()
    outliers: Outliers | None = None
    # None: auto mTLS, by what each endpoint takes. A value: always this.
    tls: ClientTls | None = None
    auto_mtls: bool = True
    retry_budget: RetryBudget | None = None
    proxy_protocol: str = ""  # "", "V1" or "V2"
    # Where the DestinationRule that shaped it stands.
    where: Where | None = None

    @property
    def http2(self) -> bool:
        """Whether requests go out in HTTP/2 (None in the pool: as the port says)."""
        if self.pool.http2_upgrade is None:
            return self.port.protocol.is_http2
        return self.pool.http2_upgrade or self.port.protocol.is_http2

    @property
    def sniffed(self) -> bool:
        """Whether the port is HTTP or not is unknown before the connection."""
        return self.port.protocol is Protocol.UNKNOWN
