"""Volumes of a pod, and the claims of a StatefulSet."""

from dataclasses import dataclass, field
from typing import ClassVar

from localmesh.manifests.kubernetes.container import FieldSelector
from localmesh.manifests.record import Int32, Metadata, Quantity, Record, Resource, json_named


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyToPath(Record):
    """One key as one file; `mode` is octal in YAML (0400) and an int here."""

    key: str
    path: str
    mode: Int32 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigMapVolume(Record):
    """A ConfigMap's keys as files: all of them, or `items`."""

    name: str
    items: tuple[KeyToPath, ...] = ()
    default_mode: Int32 | None = None
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretVolume(Record):
    """A Secret's keys as files."""

    secret_name: str
    items: tuple[KeyToPath, ...] = ()
    default_mode: Int32 | None = None
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EmptyDir(Record):
    """A directory that lives as long as the pod."""

    medium: str | None = None
    size_limit: Quantity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimVolume(Record):
    """A PersistentVolumeClaim by name."""

    claim_name: str
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectedObject(Record):
    """A Secret or ConfigMap inside a projected volume."""

    name: str
    items: tuple[KeyToPath, ...] = ()
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DownwardFile(Record):
    """A field of the pod as a file."""

    path: str
    field_ref: FieldSelector | None = None
    mode: Int32 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DownwardAPI(Record):
    """Fields of the pod as files."""

    items: tuple[DownwardFile, ...] = ()
    default_mode: Int32 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccountToken(Record):
    """A token of the pod's service account for `audience`."""

    path: str
    audience: str | None = None
    expiration_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection(Record):
    """One source of a projected volume: exactly one of them."""

    AT_MOST_ONE: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("secret", "config_map", "downward_api", "service_account_token"),
    )

    secret: ProjectedObject | None = None
    config_map: ProjectedObject | None = None
    downward_api: DownwardAPI | None = json_named("downwardAPI")
    service_account_token: ServiceAccountToken | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Projected(Record):
    """Several sources in one directory."""

    sources: tuple[Projection, ...] = ()
    default_mode: Int32 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPath(Record):
    """A path of the node."""

    path: str
    type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume(Record):
    """core/v1 Volume: exactly one source. Sources of clouds and drivers run in the cluster only."""

    AT_MOST_ONE: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("config_map", "secret", "empty_dir", "persistent_volume_claim", "projected", "downward_api", "host_path"),
    )

    name: str
    config_map: ConfigMapVolume | None = None
    secret: SecretVolume | None = None
    empty_dir: EmptyDir | None = None
    persistent_volume_claim: ClaimVolume | None = None
    projected: Projected | None = None
    downward_api: DownwardAPI | None = json_named("downwardAPI")
    host_path: HostPath | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PersistentVolumeClaimSpec(Record):
    """How much is asked for; locally a directory, whatever its size."""

    NO_LOCAL_MEANING: ClassVar[frozenset[str]] = frozenset(
        {
            "accessModes",
            "dataSource",
            "dataSourceRef",
            "resources",
            "selector",
            "storageClassName",
            "volumeAttributesClassName",
            "volumeMode",
            "volumeName",
        }
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PersistentVolumeClaim(Resource):
    """A claim: a document of its own, or a template inside a StatefulSet."""

    spec: PersistentVolumeClaimSpec = field(default_factory=PersistentVolumeClaimSpec)
    metadata: Metadata = field(default_factory=Metadata)
