"""The Kubernetes Gateway API -> Istio's words, as istiod does it: listeners are Gateways, routes VirtualServices.

What comes out (`attachments`) is resolved with everything else, by Gateway API semantics where they differ: a prefix
is of whole segments, an unknown backend answers 500, a route acts for its own namespace or that of the service.
Source: istiod's conversion of gateway.networking.k8s.io (pilot/pkg/config/kube/gateway), and its output.
"""

from localmesh.resolve.gateway_api.attachments import Attachments, attachments
from localmesh.resolve.gateway_api.deployments import beside, deployed

__all__ = ["Attachments", "attachments", "beside", "deployed"]
