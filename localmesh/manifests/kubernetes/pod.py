"""Pods and their templates: the fields that a pod run as local processes honours, or accepts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from localmesh.manifests.kubernetes.container import Container
from localmesh.manifests.kubernetes.volume import Volume
from localmesh.manifests.record import Int32, Record, Resource, empty_map, json_named


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSpec(Record):
    """core/v1 PodSpec. `termination_grace_period_seconds` is 30 when absent."""

    NO_LOCAL_MEANING: ClassVar[frozenset[str]] = frozenset(
        {
            "activeDeadlineSeconds",
            "affinity",
            "dnsConfig",
            "dnsPolicy",
            "enableServiceLinks",
            "ephemeralContainers",
            "hostAliases",
            "hostIPC",
            "hostPID",
            "hostUsers",
            "hostname",
            "hostnameOverride",
            "imagePullSecrets",
            "nodeSelector",
            "os",
            "overhead",
            "preemptionPolicy",
            "priority",
            "priorityClassName",
            "readinessGates",
            "resourceClaims",
            "resources",
            "runtimeClassName",
            "schedulerName",
            "schedulingGates",
            "securityContext",
            "serviceAccount",
            "setHostnameAsFQDN",
            "shareProcessNamespace",
            "subdomain",
            "tolerations",
            "topologySpreadConstraints",
            "workloadRef",
        }
    )

    containers: tuple[Container, ...]
    init_containers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()
    service_account_name: str | None = None
    automount_service_account_token: bool | None = None
    termination_grace_period_seconds: Int32 | None = None
    restart_policy: str | None = None
    node_name: str | None = None
    host_network: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateMetadata(Record):
    """The metadata of a pod template: its labels are what services and policies select."""

    NO_LOCAL_MEANING: ClassVar[frozenset[str]] = frozenset({"name", "namespace", "creationTimestamp", "finalizers"})

    labels: Mapping[str, str] = empty_map()
    annotations: Mapping[str, str] = empty_map()


@dataclass(frozen=True, slots=True, kw_only=True)
class PodTemplate(Record):
    """What each replica of a workload is made from."""

    spec: PodSpec
    metadata: TemplateMetadata = field(default_factory=TemplateMetadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class PodIP(Record):
    """One of a pod's addresses."""

    ip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PodCondition(Record):
    """A condition as a cluster reports it; `status` is True, False or Unknown, as text."""

    NO_LOCAL_MEANING: ClassVar[frozenset[str]] = frozenset(
        {"lastProbeTime", "lastTransitionTime", "message", "observedGeneration", "reason"}
    )

    type: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PodStatus(Record):
    """What a cluster knows of a running pod: its addresses and whether it is ready."""

    NO_LOCAL_MEANING: ClassVar[frozenset[str]] = frozenset(
        {
            "allocatedResources",
            "containerStatuses",
            "ephemeralContainerStatuses",
            "extendedResourceClaimStatus",
            "hostIP",
            "hostIPs",
            "initContainerStatuses",
            "message",
            "nominatedNodeName",
            "observedGeneration",
            "qosClass",
            "reason",
            "resize",
            "resourceClaimStatuses",
            "resources",
            "startTime",
        }
    )

    phase: str | None = None
    pod_ip: str | None = json_named("podIP")
    pod_ips: tuple[PodIP, ...] = json_named("podIPs", ())
    conditions: tuple[PodCondition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod(Resource):
    """A Pod document: written by hand, or as a cluster gives it, with its status."""

    NO_LOCAL_MEANING: ClassVar[frozenset[str]] = frozenset()

    spec: PodSpec
    status: PodStatus | None = None
