"""Istio's kinds as records, one module per kind or family (istio.io/api 1.30)."""

from localmesh.manifests.istio.destination_rule import DestinationRule
from localmesh.manifests.istio.envoy_filter import EnvoyFilter
from localmesh.manifests.istio.gateway import Gateway
from localmesh.manifests.istio.proxy_config import ProxyConfig
from localmesh.manifests.istio.security import AuthorizationPolicy, PeerAuthentication, RequestAuthentication
from localmesh.manifests.istio.service_entry import ServiceEntry, WorkloadEntry
from localmesh.manifests.istio.sidecar import Sidecar
from localmesh.manifests.istio.telemetry import Telemetry
from localmesh.manifests.istio.virtual_service import VirtualService

__all__ = [
    "AuthorizationPolicy",
    "DestinationRule",
    "EnvoyFilter",
    "Gateway",
    "PeerAuthentication",
    "ProxyConfig",
    "RequestAuthentication",
    "ServiceEntry",
    "Sidecar",
    "Telemetry",
    "VirtualService",
    "WorkloadEntry",
]
