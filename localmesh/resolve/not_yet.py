"""Fields that are valid, that a cluster honours, and that localmesh does not compile yet: each is refused by name.

What is checked elsewhere: Sidecar fields in `sidecars`, Gateway TLS in `gateway_tls`, providers in `tracing_providers`.
"""

from collections.abc import Iterator

from localmesh.errors import Where
from localmesh.manifests.documents import Documents
from localmesh.manifests.istio import AuthorizationPolicy, DestinationRule, Telemetry, VirtualService
from localmesh.manifests.istio.destination_rule import LoadBalancerSettings, TrafficPolicy
from localmesh.manifests.mesh_config import MeshConfig, ProxyConfigSettings
from localmesh.manifests.providers import ExtensionProvider
from localmesh.manifests.record import Record
from localmesh.resolve.findings import Findings, nearest
from localmesh.resolve.settings import Settings

# MeshConfig and its defaultConfig: fields whose presence changes proxies.
MESH_FIELDS = ("inbound_traffic_policy", "service_settings", "mesh_mtls", "tls_defaults", "protocol_detection_timeout")
PROXY_FIELDS = ("gateway_topology", "proxy_headers")


def refuse_fields(documents: Documents, settings: Settings, findings: Findings) -> None:
    """Everything of this kind in all documents."""
    for name, where in _found(documents):
        findings.unsupported(where, name)
    for policy in documents.of(AuthorizationPolicy):
        _check_provider(policy, settings, findings)


def _found(documents: Documents) -> Iterator[tuple[str, Where]]:
    if documents.mesh_config is not None:
        yield from _of_mesh(documents.mesh_config)
    for rule in documents.of(DestinationRule):
        policies = (rule.spec.traffic_policy, *(each.traffic_policy for each in rule.spec.subsets))
        for policy in policies:
            if policy is not None:
                yield from _of_policy(policy)
    for telemetry in documents.of(Telemetry):
        yield from _of_telemetry(telemetry)
    for virtual_service in documents.of(VirtualService):
        for route in virtual_service.spec.http:
            fault = route.fault
            if fault is not None and fault.abort is not None:
                yield from _set(fault.abort, "http2_error")
            if fault is not None and fault.delay is not None:
                yield from _set(fault.delay, "exponential_delay")


def _of_telemetry(telemetry: Telemetry) -> Iterator[tuple[str, Where]]:
    for tracing in telemetry.spec.tracing:
        for tag in tracing.custom_tags.values():
            yield from _set(tag, "formatter")


def _of_mesh(config: MeshConfig) -> Iterator[tuple[str, Where]]:
    yield from _set(config, *MESH_FIELDS)
    if config.access_log_encoding == "JSON":
        yield "accessLogEncoding: JSON", config.at("access_log_encoding")
    if config.outbound_traffic_policy is not None and config.outbound_traffic_policy.mode == "ALLOW_ANY_DYNAMIC_DNS":
        yield "ALLOW_ANY_DYNAMIC_DNS", config.outbound_traffic_policy.at("mode")
    defaults: ProxyConfigSettings | None = config.default_config
    if defaults is not None:
        yield from _set(defaults, *PROXY_FIELDS)


def _of_policy(policy: TrafficPolicy) -> Iterator[tuple[str, Where]]:
    yield from _set(policy, "tunnel")
    balancers: tuple[LoadBalancerSettings | None, ...] = (
        policy.load_balancer,
        *(each.load_balancer for each in policy.port_level_settings),
    )
    for balancer in balancers:
        hashed = balancer.consistent_hash if balancer else None
        if hashed is not None and hashed.http_cookie is not None:
            yield from _set(hashed.http_cookie, "attributes")


def _set(record: Record, *names: str) -> Iterator[tuple[str, Where]]:
    """Those of the fields that were written."""
    for name in names:
        if getattr(record, name):
            where = record.at(name)
            yield where.path.rpartition(".")[2], where


def _check_provider(policy: AuthorizationPolicy, settings: Settings, findings: Findings) -> None:
    """CUSTOM asks another service. Istio denies what its rules match where it knows no such provider."""
    if policy.spec.action != "CUSTOM" or policy.spec.provider is None:
        return
    name = policy.spec.provider.name or ""
    provider: ExtensionProvider | None = settings.providers.get(name)
    where = policy.spec.provider.at("name")
    if provider is None:
        what = f"MeshConfig has no extension provider {name!r}: all that these rules match is denied"
        findings.problem(where, what, nearest(name, settings.providers))
    else:
        findings.unsupported(where, "action CUSTOM (an external authorizer)")
