"""Which documents there are: by API group and kind, decoded, skipped with a reason, or refused with a reason."""

from collections.abc import Mapping
from dataclasses import dataclass

from localmesh.manifests import gateway_api, istio, kubernetes
from localmesh.manifests.mesh_config import IstioOperator
from localmesh.manifests.nodes import nearest
from localmesh.manifests.record import Resource


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind that is decoded, the API versions it may be written in, and whether its objects live in namespaces."""

    record: type[Resource]
    versions: tuple[str, ...]
    namespaced: bool = True


LOCAL_GROUP, LOCAL_KIND = "localmesh", "LocalRun"

_V1 = ("v1",)
_NETWORKING = ("v1", "v1beta1", "v1alpha3")
_SECURITY = ("v1", "v1beta1")
_GATEWAY_API = ("v1", "v1beta1")

KINDS: Mapping[tuple[str, str], Kind] = {
    ("", "Namespace"): Kind(kubernetes.Namespace, _V1, namespaced=False),
    ("", "Node"): Kind(kubernetes.Node, _V1, namespaced=False),
    ("", "ServiceAccount"): Kind(kubernetes.ServiceAccount, _V1),
    ("", "ConfigMap"): Kind(kubernetes.ConfigMap, _V1),
    ("", "Secret"): Kind(kubernetes.Secret, _V1),
    ("", "PersistentVolumeClaim"): Kind(kubernetes.PersistentVolumeClaim, _V1),
    ("", "Pod"): Kind(kubernetes.Pod, _V1),
    ("", "Service"): Kind(kubernetes.Service, _V1),
    ("discovery.k8s.io", "EndpointSlice"): Kind(kubernetes.EndpointSlice, _V1),
    ("apps", "Deployment"): Kind(kubernetes.Deployment, _V1),
    ("apps", "StatefulSet"): Kind(kubernetes.StatefulSet, _V1),
    ("gateway.networking.k8s.io", "GatewayClass"): Kind(gateway_api.GatewayClass, _GATEWAY_API, namespaced=False),
    ("gateway.networking.k8s.io", "Gateway"): Kind(gateway_api.Gateway, _GATEWAY_API),
    ("gateway.networking.k8s.io", "HTTPRoute"): Kind(gateway_api.HTTPRoute, _GATEWAY_API),
    ("gateway.networking.k8s.io", "GRPCRoute"): Kind(gateway_api.GRPCRoute, _V1),
    ("gateway.networking.k8s.io", "ReferenceGrant"): Kind(gateway_api.ReferenceGrant, _GATEWAY_API),
    ("networking.istio.io", "VirtualService"): Kind(istio.VirtualService, _NETWORKING),
    ("networking.istio.io", "DestinationRule"): Kind(istio.DestinationRule, _NETWORKING),
    ("networking.istio.io", "Gateway"): Kind(istio.Gateway, _NETWORKING),
    ("networking.istio.io", "ServiceEntry"): Kind(istio.ServiceEntry, _NETWORKING),
    ("networking.istio.io", "WorkloadEntry"): Kind(istio.WorkloadEntry, _NETWORKING),
    ("networking.istio.io", "Sidecar"): Kind(istio.Sidecar, _NETWORKING),
    ("networking.istio.io", "ProxyConfig"): Kind(istio.ProxyConfig, ("v1beta1",)),
    ("networking.istio.io", "EnvoyFilter"): Kind(istio.EnvoyFilter, ("v1alpha3",)),
    ("security.istio.io", "PeerAuthentication"): Kind(istio.PeerAuthentication, _SECURITY),
    ("security.istio.io", "AuthorizationPolicy"): Kind(istio.AuthorizationPolicy, _SECURITY),
    ("security.istio.io", "RequestAuthentication"): Kind(istio.RequestAuthentication, _SECURITY),
    ("telemetry.istio.io", "Telemetry"): Kind(istio.Telemetry, ("v1", "v1alpha1")),
    ("install.istio.io", "IstioOperator"): Kind(IstioOperator, ("v1alpha1",)),
}

_ACCESS = "who may use the Kubernetes API: there is none here"
_NODES = "what a cluster places and sizes: here each replica is a process"
_INSTALL = "how a cluster is installed"
_DERIVED = "a cluster derives it from other documents, which are read instead"
_WATCH = "what a cluster's monitoring reads"

SKIPPED: Mapping[tuple[str, str], str] = {
    ("autoscaling", "HorizontalPodAutoscaler"): "replicas are scaled by hand here: localmesh scale",
    ("policy", "PodDisruptionBudget"): _NODES,
    ("networking.k8s.io", "NetworkPolicy"): "there is no pod network here: mTLS and AuthorizationPolicy hold",
    ("rbac.authorization.k8s.io", "Role"): _ACCESS,
    ("rbac.authorization.k8s.io", "RoleBinding"): _ACCESS,
    ("rbac.authorization.k8s.io", "ClusterRole"): _ACCESS,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): _ACCESS,
    ("batch", "Job"): "jobs are not run locally",
    ("batch", "CronJob"): "jobs are not run locally",
    ("apps", "DaemonSet"): "there are no nodes here",
    ("apps", "ReplicaSet"): _DERIVED,
    ("apps", "ControllerRevision"): _DERIVED,
    ("", "Endpoints"): _DERIVED,
    ("", "Event"): _DERIVED,
    ("", "ResourceQuota"): _NODES,
    ("", "LimitRange"): _NODES,
    ("", "PersistentVolume"): _NODES,
    ("scheduling.k8s.io", "PriorityClass"): _NODES,
    ("storage.k8s.io", "StorageClass"): _NODES,
    ("coordination.k8s.io", "Lease"): _DERIVED,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _INSTALL,
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): _INSTALL,
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): _INSTALL,
    ("kustomize.config.k8s.io", "Kustomization"): "the files of a folder are read as they are",
    ("kustomize.config.k8s.io", "Component"): "the files of a folder are read as they are",
    ("kind.x-k8s.io", "Cluster"): _INSTALL,
    ("monitoring.coreos.com", "PodMonitor"): _WATCH,
    ("monitoring.coreos.com", "ServiceMonitor"): _WATCH,
    ("monitoring.coreos.com", "PrometheusRule"): _WATCH,
}
"""(API group, kind) -> why it means nothing on one machine."""


def split_api_version(api_version: str) -> tuple[str, str]:
    """`apps/v1` -> ("apps", "v1"); the core group is ""."""
    group, slash, version = api_version.rpartition("/")
    return (group, version) if slash else ("", api_version)


def why_unknown(group: str, kind: str) -> str:
    """A hint for a kind that is in no table: the group it lives in, or the nearest kind."""
    known = {name: owner for owner, name in (*SKIPPED, *KINDS)}
    if kind in known:
        owner = known[kind]
        versions = KINDS[owner, kind].versions if (owner, kind) in KINDS else ("v1",)
        return f"{kind} is of apiVersion {owner}/{versions[0]}" if owner else f"{kind} is of apiVersion {versions[0]}"
    return nearest(kind, [name for owner, name in KINDS if owner == group] or list(known))
