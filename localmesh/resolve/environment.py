"""The variables of a container: literals, fields of the pod, and keys of ConfigMaps and Secrets."""

from collections.abc import Iterator, Mapping

from localmesh.errors import Where
from localmesh.manifests.documents import Documents
from localmesh.manifests.kubernetes import ConfigMap, Secret
from localmesh.manifests.kubernetes.container import Container, EnvFromSource, EnvVarSource, KeySelector
from localmesh.manifests.kubernetes.container import EnvVar as WrittenVar
from localmesh.mesh.workloads import EnvVar
from localmesh.resolve.findings import Findings, nearest

POD_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.podIP",
    "status.podIPs",
)


class Stores:
    """All ConfigMaps and Secrets by namespace and name, their values as bytes."""

    def __init__(self, documents: Documents) -> None:
        self.config_maps = {
            (each.namespace, each.name): {key: text.encode() for key, text in each.data.items()}
            | dict(each.binary_data)
            for each in documents.of(ConfigMap)
        }
        self.secrets = {
            (each.namespace, each.name): dict(each.data)
            | {key: text.encode() for key, text in each.string_data.items()}
            for each in documents.of(Secret)
        }

    def content(
        self, kind: str, namespace: str, name: str, where: Where, findings: Findings, *, optional: bool
    ) -> Mapping[str, bytes]:
        """All keys of one ConfigMap or Secret; a problem and nothing where it is missing and not optional."""
        stores = self.secrets if kind == "Secret" else self.config_maps
        content = stores.get((namespace, name))
        if content is None and not optional:
            names = (store for space, store in stores if space == namespace)
            findings.problem(where, f"there is no {kind} {namespace}/{name}", nearest(name, names))
        return content or {}

    def value(self, kind: str, namespace: str, key: KeySelector, findings: Findings) -> bytes | None:
        """One key's value; None where it is missing, which is a problem unless it is optional."""
        content = self.content(kind, namespace, key.name, key.at("name"), findings, optional=key.optional)
        if content and key.key not in content and not key.optional:
            what = f"{kind} {namespace}/{key.name} has no key {key.key!r}"
            findings.problem(key.at("key"), what, nearest(key.key, content))
        return content.get(key.key)


def environment(container: Container, namespace: str, stores: Stores, findings: Findings) -> tuple[EnvVar, ...]:
    """The variables in Kubernetes' order: envFrom first, then env; a later one of the same name wins."""
    found: dict[str, EnvVar] = {}
    for source in container.env_from:
        found |= {each.name: each for each in _all_of(source, namespace, stores, findings)}
    for written in container.env:
        each = _variable(written, namespace, stores, findings)
        if each is not None:
            found[each.name] = each
    return tuple(found.values())


def _all_of(source: EnvFromSource, namespace: str, stores: Stores, findings: Findings) -> Iterator[EnvVar]:
    for kind, ref in (("ConfigMap", source.config_map_ref), ("Secret", source.secret_ref)):
        if ref is None:
            continue
        content = stores.content(kind, namespace, ref.name, ref.at("name"), findings, optional=ref.optional)
        for key, value in content.items():
            name = (source.prefix or "") + key
            yield EnvVar(name, _text(value, ref.at("name"), findings), secret=kind == "Secret", where=source.where)


def _variable(written: WrittenVar, namespace: str, stores: Stores, findings: Findings) -> EnvVar | None:
    source = written.value_from
    if source is None:
        return EnvVar(written.name, written.value or "", where=written.where)
    if source.field_ref is not None:
        path = source.field_ref.field_path
        if path not in POD_FIELDS and not path.startswith(("metadata.labels[", "metadata.annotations[")):
            hint = nearest(path, POD_FIELDS)
            findings.problem(source.field_ref.at("field_path"), f"a pod has no field {path!r}", hint)
        return EnvVar(written.name, pod_field=path, where=written.where)
    return _referenced(written, source, namespace, stores, findings)


def _referenced(
    written: WrittenVar, source: EnvVarSource, namespace: str, stores: Stores, findings: Findings
) -> EnvVar | None:
    for kind, ref in (("Secret", source.secret_key_ref), ("ConfigMap", source.config_map_key_ref)):
        if ref is not None:
            value = stores.value(kind, namespace, ref, findings)
            if value is None:
                return None
            text = _text(value, ref.at("key"), findings)
            return EnvVar(written.name, text, secret=kind == "Secret", where=written.where)
    return None  # resourceFieldRef: refused by name


def _text(value: bytes, where: Where, findings: Findings) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        findings.problem(where, "the value is not UTF-8 text, so it cannot be a variable", "mount it as a file")
        return ""
