"""What one document must hold on its own: the checks of istiod's validation, one module per kind.

Sources: istiod 1.30's pkg/config/validation and the schemas of Istio's CRDs. A rule is a pure function from a record to
problems. `localmesh.resolve` judges what refers to something else.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from localmesh.errors import Problem
from localmesh.manifests import gateway_api as gateway_api_kinds
from localmesh.manifests import istio, kubernetes
from localmesh.manifests.record import Resource
from localmesh.manifests.rules import (
    authorization_policy,
    destination_rule,
    envoy_filter,
    gateway,
    gateway_api,
    gateway_api_routes,
    metadata,
    peer_authentication,
    proxy_config,
    request_authentication,
    service,
    service_entry,
    sidecar,
    telemetry,
    virtual_service,
)

_Rule = Callable[[Any], Iterator[Problem]]

_PROBLEMS: Mapping[type[Resource], _Rule] = {
    gateway_api_kinds.Gateway: gateway_api.problems,
    gateway_api_kinds.GRPCRoute: gateway_api_routes.grpc_problems,
    gateway_api_kinds.HTTPRoute: gateway_api_routes.http_problems,
    istio.AuthorizationPolicy: authorization_policy.problems,
    istio.DestinationRule: destination_rule.problems,
    istio.EnvoyFilter: envoy_filter.problems,
    istio.Gateway: gateway.problems,
    istio.PeerAuthentication: peer_authentication.problems,
    istio.ProxyConfig: proxy_config.problems,
    istio.RequestAuthentication: request_authentication.problems,
    istio.ServiceEntry: service_entry.problems,
    istio.Sidecar: sidecar.problems,
    istio.Telemetry: telemetry.problems,
    istio.VirtualService: virtual_service.problems,
    istio.WorkloadEntry: service_entry.workload_problems,
    kubernetes.Service: service.problems,
}
_WARNINGS: Mapping[type[Resource], _Rule] = {
    istio.AuthorizationPolicy: authorization_policy.warnings,
    istio.DestinationRule: destination_rule.warnings,
    istio.EnvoyFilter: envoy_filter.warnings,
    istio.Gateway: gateway.warnings,
    istio.PeerAuthentication: peer_authentication.warnings,
    istio.ProxyConfig: proxy_config.warnings,
    istio.RequestAuthentication: request_authentication.warnings,
    istio.ServiceEntry: service_entry.warnings,
    istio.Sidecar: sidecar.warnings,
    istio.Telemetry: telemetry.warnings,
    istio.VirtualService: virtual_service.warnings,
    kubernetes.Service: service.warnings,
}


def problems(resource: Resource) -> Iterator[Problem]:
    """What istiod (or the API server, by the kind's schema) would reject this document for."""
    yield from metadata.problems(resource)
    if type(resource) in _PROBLEMS:
        yield from _PROBLEMS[type(resource)](resource)


def warnings(resource: Resource) -> Iterator[Problem]:
    """What istiod would accept and warn about."""
    if type(resource) in _WARNINGS:
        yield from _WARNINGS[type(resource)](resource)
