"""Which of Envoy's statistics are scraped, of the five hundred families that it has: docs/metrics.md tells them.

A list of what is kept, not of what is dropped: so the number of series is bounded by what a proxy may call (clusters,
listeners) and by answers that exist (status codes), never by what callers send.
https://www.envoyproxy.io/docs/envoy/latest/configuration/upstream/cluster_manager/cluster_stats and its neighbours.
"""

# Of each service's port that the proxy calls (`outbound|…`), and of each port of its own app (`inbound|…`).
_REQUESTS = (
    r"upstream_rq_(\d\d\d|active|total|completed|time|timeout|per_try_timeout|cancelled|rx_reset|tx_reset"
    r"|retry|retry_success|retry_overflow|retry_limit_exceeded|pending_overflow|pending_failure_eject)"
)
_CONNECTIONS = (
    r"upstream_cx_(active|total|connect_ms|connect_fail|connect_timeout|overflow|rx_bytes_total|tx_bytes_total)"
)
_TLS = r"ssl\.(handshake|connection_error|no_certificate|fail_verify_(error|san|no_cert|cert_hash))"
_HOSTS = (
    r"membership_(healthy|total)|lb_healthy_panic|outlier_detection\.ejections_(active|overflow|enforced_total)"
    r"|circuit_breakers\.default\.(cx|rq|rq_pending|rq_retry)_open"
)
_CLUSTERS = rf"cluster\.(in|out)bound\|.*;\.({_REQUESTS}|{_CONNECTIONS}|{_TLS}|{_HOSTS}|grpc\.\d+)"

# Of what the proxy takes, from its app (`outbound_…`), from its peers (`inbound_…`), and at a gateway from outside.
_REQUESTS_TAKEN = r"downstream_(cx_active|cx_total|rq_(\dxx|active|total|completed|time|timeout|rx_reset|tx_reset))"
_POLICIES = r"rbac\.(.*shadow_)?(allowed|denied)|jwt_authn\.(allowed|denied)|fault\.(aborts|delays)_injected"
_TAKEN = rf"http\.(in|out)bound_[^;]*;\.({_REQUESTS_TAKEN}|{_POLICIES}|no_route)"
_LISTENERS = rf"listener\.[\d.]+_\d+\.(downstream_cx_(active|total|overflow)|{_TLS})"
_TCP = r"tcp\.(rbac\.(allowed|denied)|.*\.downstream_cx_(total|rx_bytes_total|tx_bytes_total))"

# Of the proxy itself.
_ITSELF = (
    r"server\.(live|uptime|memory_allocated|total_connections|days_until_first_cert_expiring)"
    r"|control_plane\.connected_state|cluster_manager\.(active_clusters|cds\.update_rejected)"
    r"|listener_manager\.(total_listeners_(active|draining|warming)|lds\.update_rejected)"
    r"|tracing\.opentelemetry\.(spans_sent|spans_dropped)"
)

# RE2, for `/stats/prometheus?filter=`: Envoy leaves out the rest itself.
FILTER = rf"^({_CLUSTERS}|{_TAKEN}|{_LISTENERS}|{_TCP}|{_ITSELF})$"
