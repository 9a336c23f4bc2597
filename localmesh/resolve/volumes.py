"""The volumes of a pod: empty folders, kept folders, and folders holding a ConfigMap's or Secret's files."""

from collections.abc import Iterable, Iterator, Mapping

from localmesh.manifests.kubernetes.pod import PodSpec
from localmesh.manifests.kubernetes.volume import (
    ConfigMapVolume,
    KeyToPath,
    PersistentVolumeClaim,
    Projected,
    ProjectedObject,
    SecretVolume,
)
from localmesh.manifests.kubernetes.volume import Volume as WrittenVolume
from localmesh.mesh.workloads import Keeps, Volume
from localmesh.resolve.environment import Stores
from localmesh.resolve.findings import Findings, nearest


def volumes(
    spec: PodSpec, claims: Iterable[PersistentVolumeClaim], namespace: str, stores: Stores, findings: Findings
) -> tuple[Volume, ...]:
    """All volumes of a pod; a StatefulSet's claim templates are volumes that keep their data."""
    kept = [Volume(claim.name, Keeps.DATA) for claim in claims]
    found = (*kept, *(_volume(each, namespace, stores, findings) for each in spec.volumes))
    _check_mounts(spec, {each.name for each in found} | {each.name for each in spec.volumes}, findings)
    return found


def _volume(written: WrittenVolume, namespace: str, stores: Stores, findings: Findings) -> Volume:
    if written.persistent_volume_claim is not None:
        return Volume(written.name, Keeps.DATA)
    source = written.config_map or written.secret
    if source is not None:
        files, secret = _files(source, namespace, stores, findings), written.secret is not None
        return Volume(written.name, files=dict(files), secret=secret)
    if written.projected is not None:
        return _projected(written.name, written.projected, namespace, stores, findings)
    return Volume(written.name)


def _projected(name: str, projected: Projected, namespace: str, stores: Stores, findings: Findings) -> Volume:
    files: dict[str, bytes] = {}
    secret = False
    for source in projected.sources:
        for each in (source.config_map, source.secret):
            if each is not None:
                secret = secret or each is source.secret
                kind = "Secret" if each is source.secret else "ConfigMap"
                files |= dict(_files(each, namespace, stores, findings, kind=kind))
    return Volume(name, files=files, secret=secret)


def _files(
    source: ConfigMapVolume | SecretVolume | ProjectedObject,
    namespace: str,
    stores: Stores,
    findings: Findings,
    kind: str = "",
) -> Iterator[tuple[str, bytes]]:
    name_field = "secret_name" if isinstance(source, SecretVolume) else "name"
    kind = kind or ("Secret" if isinstance(source, SecretVolume) else "ConfigMap")
    name = getattr(source, name_field)
    content = stores.content(kind, namespace, name, source.at(name_field), findings, optional=source.optional)
    if not source.items:
        yield from content.items()
    for item in source.items:
        yield from _item(item, content, f"{kind} {namespace}/{name}", findings)


def _item(item: KeyToPath, content: Mapping[str, bytes], store: str, findings: Findings) -> Iterator[tuple[str, bytes]]:
    if item.key in content:
        yield item.path, content[item.key]
    elif content:
        findings.problem(item.at("key"), f"{store} has no key {item.key!r}", nearest(item.key, content))


def _check_mounts(spec: PodSpec, names: set[str], findings: Findings) -> None:
    for container in (*spec.init_containers, *spec.containers):
        for mount in container.volume_mounts:
            if mount.name not in names:
                findings.problem(mount.at("name"), f"the pod has no volume {mount.name!r}", nearest(mount.name, names))
