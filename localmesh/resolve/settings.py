"""Mesh-wide settings: what MeshConfig says, laid over Istio 1.30's defaults."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from localmesh.manifests.documents import Documents
from localmesh.manifests.istio.destination_rule import LocalityLoadBalancerSetting, TcpKeepalive
from localmesh.manifests.istio.virtual_service import HTTPRetry
from localmesh.manifests.mesh_config import MeshConfig, ProxyPathNormalization, Topology
from localmesh.manifests.providers import ExtensionProvider
from localmesh.mesh.identity import Seconds
from localmesh.mesh.security import Edge, Paths

EVERYWHERE = ("*",)


@dataclass(frozen=True, slots=True, eq=False)
class Settings:
    """What every document is read under. Equal only to itself: its records know their places."""

    trust_domain: str = "cluster.local"
    trust_domain_aliases: tuple[str, ...] = ()
    root_namespace: str = "istio-system"
    allow_any: bool = True
    auto_mtls: bool = True
    upgrade_http2: bool = False
    connect_timeout: Seconds | None = None
    tcp_keepalive: TcpKeepalive | None = None
    retry: HTTPRetry | None = None
    locality: LocalityLoadBalancerSetting | None = LocalityLoadBalancerSetting()
    service_export_to: tuple[str, ...] = EVERYWHERE
    virtual_service_export_to: tuple[str, ...] = EVERYWHERE
    destination_rule_export_to: tuple[str, ...] = EVERYWHERE
    paths: Paths = Paths.BASE
    edge: Edge = Edge()
    providers: Mapping[str, ExtensionProvider] = field(default_factory=dict)
    written: MeshConfig = MeshConfig()


def settings(documents: Documents) -> Settings:
    """The settings that hold under the documents' MeshConfig; without one Istio's defaults."""
    config = documents.mesh_config
    if config is None:
        return Settings()
    outbound = config.outbound_traffic_policy
    locality = config.locality_lb_setting or LocalityLoadBalancerSetting()
    return Settings(
        trust_domain=config.trust_domain or "cluster.local",
        trust_domain_aliases=config.trust_domain_aliases,
        root_namespace=config.root_namespace or "istio-system",
        allow_any=outbound is None or outbound.mode != "REGISTRY_ONLY",
        auto_mtls=config.enable_auto_mtls is not False,
        upgrade_http2=config.h2_upgrade_policy == "UPGRADE",
        connect_timeout=config.connect_timeout,
        tcp_keepalive=config.tcp_keepalive,
        retry=config.default_http_retry_policy,
        locality=None if locality.enabled is False else locality,
        service_export_to=config.default_service_export_to or EVERYWHERE,
        virtual_service_export_to=config.default_virtual_service_export_to or EVERYWHERE,
        destination_rule_export_to=config.default_destination_rule_export_to or EVERYWHERE,
        paths=_paths(config.path_normalization),
        edge=_edge(config.default_config.gateway_topology if config.default_config else None),
        providers={each.name: each for each in config.extension_providers},
        written=config,
    )


def _paths(written: ProxyPathNormalization | None) -> Paths:
    """DEFAULT is BASE."""
    name = written.normalization if written else None
    return Paths.BASE if name in {None, "DEFAULT"} else Paths[name]


def _edge(written: Topology | None) -> Edge:
    """UNDEFINED is Istio's own choice."""
    if written is None:
        return Edge()
    details = written.forward_client_cert_details or "UNDEFINED"
    return Edge(written.num_trusted_proxies or 0, "" if details == "UNDEFINED" else details)
