"""The kinds of the Kubernetes Gateway API as records (gateway.networking.k8s.io, v1.5), one module per kind or family.

A field that the API server would fill in has its default here, because users leave it out: an absent `kind` of a
backendRef is `Service`, an absent path is the prefix `/`.
"""

from localmesh.manifests.gateway_api.gateway import Gateway, GatewayClass
from localmesh.manifests.gateway_api.grpc_route import GRPCRoute
from localmesh.manifests.gateway_api.http_route import HTTPRoute
from localmesh.manifests.gateway_api.reference_grant import ReferenceGrant

__all__ = ["GRPCRoute", "Gateway", "GatewayClass", "HTTPRoute", "ReferenceGrant"]
