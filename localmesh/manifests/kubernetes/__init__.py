"""Kubernetes' kinds as records: those that mean something to a mesh on one machine."""

from localmesh.manifests.kubernetes.config import ConfigMap, Namespace, Node, Secret, ServiceAccount
from localmesh.manifests.kubernetes.pod import Pod
from localmesh.manifests.kubernetes.service import EndpointSlice, Service
from localmesh.manifests.kubernetes.volume import PersistentVolumeClaim
from localmesh.manifests.kubernetes.workload import Deployment, StatefulSet

__all__ = [
    "ConfigMap",
    "Deployment",
    "EndpointSlice",
    "Namespace",
    "Node",
    "PersistentVolumeClaim",
    "Pod",
    "Secret",
    "Service",
    "ServiceAccount",
    "StatefulSet",
]
