"""Deployment and StatefulSet: how many pods of which template (apps/v1)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from localmesh.manifests.kubernetes.pod import PodTemplate
from localmesh.manifests.kubernetes.volume import PersistentVolumeClaim
from localmesh.manifests.record import Int32, Record, Resource, empty_map


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSelectorRequirement(Record):
    """One expression of a selector."""

    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSelector(Record):
    """metav1.LabelSelector: the pods that a workload counts as its own."""

    match_labels: Mapping[str, str] = empty_map()
    match_expressions: tuple[LabelSelectorRequirement, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RollingUpdate(Record):
    """How many pods a rolling update may add or miss: a number, or a share such as `25%`."""

    max_surge: int | str | None = None
    max_unavailable: int | str | None = None
    partition: Int32 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateStrategy(Record):
    """RollingUpdate when absent; Recreate for a Deployment, OnDelete for a StatefulSet."""

    type: Literal["RollingUpdate", "Recreate", "OnDelete"] | None = None
    rolling_update: RollingUpdate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentSpec(Record):
    """`replicas` is 1 when absent."""

    NO_LOCAL_MEANING: ClassVar[frozenset[str]] = frozenset(
        {"minReadySeconds", "paused", "progressDeadlineSeconds", "revisionHistoryLimit"}
    )

    selector: PodSelector
    template: PodTemplate
    replicas: Int32 | None = None
    strategy: UpdateStrategy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment(Resource):
    """A Deployment document."""

    spec: DeploymentSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class StatefulSetSpec(Record):
    """`service_name` is the headless service that gives each pod its name; `replicas` is 1 when absent."""

    NO_LOCAL_MEANING: ClassVar[frozenset[str]] = frozenset(
        {"minReadySeconds", "ordinals", "persistentVolumeClaimRetentionPolicy", "revisionHistoryLimit"}
    )

    selector: PodSelector
    template: PodTemplate
    service_name: str | None = None
    replicas: Int32 | None = None
    pod_management_policy: Literal["OrderedReady", "Parallel"] | None = None
    update_strategy: UpdateStrategy | None = None
    volume_claim_templates: tuple[PersistentVolumeClaim, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class StatefulSet(Resource):
    """A StatefulSet document."""

    spec: StatefulSetSpec
