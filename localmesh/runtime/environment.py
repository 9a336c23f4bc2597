"""A container's environment on this machine. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from localmesh.errors import Problem, Where
from localmesh.mesh import Pod
from localmesh.mesh.workloads import Container, EnvVar
from localmesh.runtime.dials import Dialed

# What a container has of its image, and a local program of the person who runs it.
INHERITED = ("HOME", "LANG", "LC_ALL", "PATH", "PYTHONPATH", "SSL_CERT_FILE", "TMPDIR", "TZ", "VIRTUAL_ENV")
_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_.-][A-Za-z0-9_.-]*)\)")
_LABEL = re.compile(r"metadata\.labels\['([^']+)'\]")


@dataclass(frozen=True, slots=True)
class Mounted:
    """A mount's place in the container, and its place here."""

    path: str
    here: Path


def variables(container: Container, pod: Pod, mounts: tuple[Mounted, ...], dialed: Dialed) -> dict[str, str]:
    """The manifest's variables: pod fields read, references expanded, names and mounted paths made local."""
    values: dict[str, str] = {}
    for variable in container.env:
        values[variable.name] = _value(variable, pod, values, dialed)
    where = {variable.name: variable.where for variable in container.env}
    return {name: dialed.replace(localized(value, mounts), where[name]) for name, value in values.items()}


def expand(text: str, values: Mapping[str, str]) -> str:
    """`$(NAME)` becomes the variable's value, `$$` a dollar; a name that is not set stays as it is (as Kubernetes)."""

    def value(found: re.Match[str]) -> str:
        return "$" if found[0] == "$$" else values.get(found[1], found[0])

    return _REFERENCE.sub(value, text)


def localized(text: str, mounts: tuple[Mounted, ...]) -> str:
    """A text that is a path at or below a mount becomes the path of the same file here; the longest mount wins."""
    for mount in sorted(mounts, key=lambda mount: len(mount.path), reverse=True):
        path = mount.path.rstrip("/")
        if text == path or text.startswith(f"{path}/"):
            return f"{mount.here}{text[len(path) :]}"
    return text


def _value(variable: EnvVar, pod: Pod, values: Mapping[str, str], dialed: Dialed) -> str:
    if not variable.pod_field:
        return expand(variable.value, values)
    fields = {
        "metadata.name": pod.name,
        "metadata.namespace": pod.namespace,
        "metadata.uid": pod.key,
        "spec.nodeName": "localhost",
        "spec.serviceAccountName": pod.identity.service_account,
        "status.hostIP": "127.0.0.1",
        "status.podIP": dialed.address,
        "status.podIPs": dialed.address,
    }
    if label := _LABEL.fullmatch(variable.pod_field):
        return pod.labels.get(label[1], "")
    if variable.pod_field not in fields:
        where = variable.where or Where("the manifest")
        dialed.problems.append(
            Problem(where, f"the pod field {variable.pod_field} is not known locally", f"known are {', '.join(fields)}")
        )
    return fields.get(variable.pod_field, "")
