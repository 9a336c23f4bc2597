"""What is valid in a cluster and refused here by name, with the reason. Editing these tables is all it takes.

A kind or field belongs here only while no later stage can give it its meaning; everything else is decoded.
"""

from collections.abc import Mapping

_GATEWAY_API = "the Kubernetes Gateway API is not compiled yet: use Istio's Gateway and VirtualService"

KINDS: Mapping[tuple[str, str], str] = {
    ("networking.istio.io", "EnvoyFilter"): "it patches Envoy configuration as istiod builds it",
    ("networking.istio.io", "ProxyConfig"): "it configures proxies that istiod's injector starts",
    ("networking.istio.io", "WorkloadGroup"): "it describes virtual machines that join a cluster",
    ("extensions.istio.io", "WasmPlugin"): "it loads WebAssembly into Istio's build of Envoy",
    ("extensions.istio.io", "TrafficExtension"): "it loads extensions into Istio's build of Envoy",
    ("gateway.networking.k8s.io", "Gateway"): _GATEWAY_API,
    ("gateway.networking.k8s.io", "GatewayClass"): _GATEWAY_API,
    ("gateway.networking.k8s.io", "HTTPRoute"): _GATEWAY_API,
    ("gateway.networking.k8s.io", "GRPCRoute"): _GATEWAY_API,
    ("gateway.networking.k8s.io", "TCPRoute"): _GATEWAY_API,
    ("gateway.networking.k8s.io", "TLSRoute"): _GATEWAY_API,
    ("gateway.networking.k8s.io", "ReferenceGrant"): _GATEWAY_API,
    ("gateway.networking.k8s.io", "BackendTLSPolicy"): _GATEWAY_API,
    ("gateway.networking.k8s.io", "ListenerSet"): _GATEWAY_API,
    ("networking.k8s.io", "Ingress"): "an ingress controller serves it: use Istio's Gateway and VirtualService",
}
"""(API group, kind) -> why it is refused."""

_VOLUME = "this volume needs a cluster: use configMap, secret, emptyDir, projected or persistentVolumeClaim"

_CLUSTER_VOLUMES = """
awsElasticBlockStore azureDisk azureFile cephfs cinder csi ephemeral fc flexVolume flocker gcePersistentDisk gitRepo
glusterfs image iscsi nfs photonPersistentDisk portworxVolume quobyte rbd scaleIO storageos vsphereVolume
"""

FIELDS: Mapping[tuple[str, str], str] = {
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
