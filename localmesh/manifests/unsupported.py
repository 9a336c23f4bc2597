"""What is valid in a cluster and refused here by name, with the reason. Editing these tables is all it takes.

A kind or field belongs here only while no later stage can give it its meaning; everything else is decoded.
"""

from collections.abc import Mapping

_CONNECTIONS = "of the Gateway API, HTTPRoute and GRPCRoute are compiled: use a VirtualService with tcp or tls routes"

KINDS: Mapping[tuple[str, str], str] = {
    ("networking.istio.io", "WorkloadGroup"): "it describes virtual machines that join a cluster",
    ("extensions.istio.io", "WasmPlugin"): "it loads WebAssembly into Istio's build of Envoy",
    ("extensions.istio.io", "TrafficExtension"): "it loads extensions into Istio's build of Envoy",
    ("gateway.networking.k8s.io", "TCPRoute"): _CONNECTIONS,
    ("gateway.networking.k8s.io", "TLSRoute"): _CONNECTIONS,
    ("gateway.networking.k8s.io", "UDPRoute"): "Istio routes no UDP",
    ("gateway.networking.k8s.io", "BackendTLSPolicy"): "write TLS towards a backend as a DestinationRule",
    ("gateway.networking.k8s.io", "ListenerSet"): "write all listeners into the Gateway",
    ("networking.k8s.io", "Ingress"): "an ingress controller serves it: use Istio's Gateway and VirtualService",
}
"""(API group, kind) -> why it is refused."""

_VOLUME = "this volume needs a cluster: use configMap, secret, emptyDir, projected or persistentVolumeClaim"

_CLUSTER_VOLUMES = """
awsElasticBlockStore azureDisk azureFile cephfs cinder csi ephemeral fc flexVolume flocker gcePersistentDisk gitRepo
glusterfs image iscsi nfs photonPersistentDisk portworxVolume quobyte rbd scaleIO storageos vsphereVolume
"""

_EXTENSION = "an extension of a controller that does not run here"
_CLIENT_TLS = "use Istio's Gateway with mode MUTUAL"
_DEFAULTS = "Istio reads it from a ConfigMap when it deploys a gateway: write a Deployment and Service of your own"

FIELDS: Mapping[tuple[str, str], str] = {
    ("GatewayClassSpec", "parametersRef"): _DEFAULTS,
    ("Infrastructure", "parametersRef"): _DEFAULTS,
    ("KubernetesGatewaySpec", "allowedListeners"): "ListenerSet is not compiled: write all listeners into the Gateway",
    ("KubernetesGatewaySpec", "tls"): _CLIENT_TLS,
    ("KubernetesGatewaySpec", "backendTLS"): "write TLS towards a backend as a DestinationRule",
    ("KubernetesGatewaySpec", "defaultScope"): "name the Gateway in parentRefs",
    ("ListenerTLS", "frontendValidation"): _CLIENT_TLS,
    ("HTTPRouteSpec", "useDefaultGateways"): "name the Gateway in parentRefs",
    ("GRPCRouteSpec", "useDefaultGateways"): "name the Gateway in parentRefs",
    ("HTTPRouteRule", "sessionPersistence"): "Istio keeps sessions by consistentHash of a DestinationRule",
    ("GRPCRouteRule", "sessionPersistence"): "Istio keeps sessions by consistentHash of a DestinationRule",
    ("HTTPRouteFilter", "extensionRef"): _EXTENSION,
    ("HTTPRouteFilter", "externalAuth"): _EXTENSION,
    ("GRPCRouteFilter", "extensionRef"): _EXTENSION,
    **{("Volume", name): _VOLUME for name in _CLUSTER_VOLUMES.split()},
    ("Projection", "clusterTrustBundle"): "a cluster's API server holds these certificates",
    ("Projection", "podCertificate"): "a cluster's API server signs these certificates",
    ("DownwardFile", "resourceFieldRef"): "a process here has no limits to write down",
    ("EnvVarSource", "fileKeyRef"): "it reads what an init container wrote",
    ("Container", "volumeDevices"): "there are no block devices here: use volumeMounts",
}
"""(record class, field as in YAML) -> why it is refused."""


def fields_of(record: str) -> Mapping[str, str]:
    """The refused fields of one record class."""
    return {name: reason for (owner, name), reason in FIELDS.items() if owner == record}
