"""Traffic policies: connection pools, outlier detection, TLS, tunnels, and the same for single ports."""

from collections.abc import Iterator

from localmesh import codes
from localmesh.errors import Problem
from localmesh.manifests.istio.destination_rule import (
    ConnectionPoolSettings,
    OutlierDetection,
    PortTrafficPolicy,
    TrafficPolicy,
    TunnelSettings,
)
from localmesh.manifests.rules import load_balancer, tls
from localmesh.manifests.rules.names import wrong_domain, wrong_ip

_PARTS = ("load_balancer", "connection_pool", "outlier_detection", "tls")
_WHOLE = (*_PARTS, "port_level_settings", "tunnel", "proxy_protocol", "retry_budget")


def problems(policy: TrafficPolicy) -> Iterator[Problem]:
    """What istiod would reject it for."""
    if not any(getattr(policy, part) for part in _WHOLE):
        yield Problem(policy.where, "this traffic policy is empty", "set something, or leave it out")
    if policy.tunnel and policy.proxy_protocol:
        yield Problem(policy.at("tunnel"), "tunnel and proxyProtocol cannot be set together")
    yield from _parts(policy)
    for each in policy.port_level_settings:
        if each.port is None:
            yield Problem(each.where, "port is missing", "which port of the host is meant?")
        if not any(getattr(each, part) for part in _PARTS):
            yield Problem(each.where, "this port's policy is empty", "set something, or leave it out")
        yield from _parts(each)
    if policy.tunnel:
        yield from _tunnel(policy.tunnel)
    budget = policy.retry_budget
    if budget and budget.percent is not None and not 0 <= budget.percent <= 100:
        yield Problem(budget.at("percent"), f"{budget.percent:g} is not a share: 0 to 100 percent")


def warnings(policy: TrafficPolicy) -> Iterator[Problem]:
    """What istiod would warn about."""
    parts: tuple[TrafficPolicy | PortTrafficPolicy, ...] = (policy, *policy.port_level_settings)
    for each in parts:
        yield from load_balancer.warnings(each.load_balancer, each.outlier_detection)
        yield from tls.client_warnings(each.tls)
        outlier = each.outlier_detection
        if outlier and outlier.consecutive_errors:
            what = "consecutiveErrors is deprecated and has no effect"
            yield codes.DEAD_OUTLIER_FIELD.at(outlier.at("consecutive_errors"), what, "use consecutive5xxErrors")


def _parts(policy: TrafficPolicy | PortTrafficPolicy) -> Iterator[Problem]:
    yield from load_balancer.problems(policy.load_balancer)
    yield from pool_problems(policy.connection_pool)
    yield from _outlier(policy.outlier_detection)
    yield from tls.client_problems(policy.tls)


def pool_problems(pool: ConnectionPoolSettings | None) -> Iterator[Problem]:
    """Limits are not negative; an empty pool is a mistake."""
    if pool is None:
        return
    if pool.tcp is None and pool.http is None:
        yield Problem(pool.where, "this connection pool is empty", "set tcp or http")
    if pool.tcp and (pool.tcp.max_connections or 0) < 0:
        yield Problem(pool.tcp.at("max_connections"), f"{pool.tcp.max_connections} is negative")
    http = pool.http
    if http is None:
        return
    limits = ("http1_max_pending_requests", "http2_max_requests", "max_requests_per_connection", "max_retries")
    for field in (*limits, "max_concurrent_streams"):
        if (getattr(http, field) or 0) < 0:
            yield Problem(http.at(field), f"{getattr(http, field)} is negative")
    if http.h2_upgrade_policy == "UPGRADE" and http.use_client_protocol:
        what = "useClientProtocol keeps the client's protocol and UPGRADE changes it"
        yield Problem(http.at("use_client_protocol"), what, "leave one of them out")


def _outlier(outlier: OutlierDetection | None) -> Iterator[Problem]:
    if outlier is None:
        return
    if outlier.consecutive_local_origin_failures and not outlier.split_external_local_origin_errors:
        what = "consecutiveLocalOriginFailures is counted only where splitExternalLocalOriginErrors is true"
        yield Problem(outlier.at("consecutive_local_origin_failures"), what)


def _tunnel(tunnel: TunnelSettings) -> Iterator[Problem]:
    if tunnel.protocol not in {None, "", "CONNECT", "POST"}:
        yield Problem(tunnel.at("protocol"), f'"{tunnel.protocol}" is not a way to tunnel', "CONNECT or POST")
    if wrong_ip(tunnel.target_host) and (wrong := wrong_domain(tunnel.target_host)):
        yield Problem(tunnel.at("target_host"), wrong)
