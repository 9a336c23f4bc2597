"""The reference cases: their YAML, what istiod made of it, and what we make of it, in normal form."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from localmesh.manifests import loads
from localmesh.mesh import Mesh
from localmesh.resolve import resolve
from localmesh.xds.compile import compile
from localmesh.xds.readable import to_json
from tests.conformance.normal import normal

# Beside a clone of this project, where istiod's own output may be.
SHARED = Path(__file__).resolve().parents[3] / "shared" / "reference" / "cases"
KINDS = ("listeners", "clusters", "routes", "endpoints")
# The MeshConfig of every case, which a case's own mesh.yaml is laid over.
MESH_CONFIG: dict[str, Any] = {
    "accessLogFile": "/dev/stdout",
    "enablePrometheusMerge": True,
    "rootNamespace": "istio-system",
    "trustDomain": "cluster.local",
    "defaultConfig": {"discoveryAddress": "istiod.istio-system.svc:15012"},
    "defaultProviders": {},
    "extensionProviders": [
        {
            "name": "otel",
            "opentelemetry": {"service": "jaeger-collector.observability.svc.cluster.local", "port": 4317},
        }
    ],
}

Normal = dict[str, dict[str, dict[str, Any]]]  # proxy -> kind -> resource's name -> normal form


def case_documents(folder: Path) -> list[str]:
    """The documents of a case, each as text that ends with a newline."""
    parts = (folder / "case.yaml").read_text().split("\n---\n")
    return [f"{part.strip()}\n" for part in parts if part.strip()]


def mesh_config(folder: Path) -> str:
    """The mesh configuration of a case, as the document that installs Istio has it."""
    config = dict(MESH_CONFIG)
    own = folder / "mesh.yaml"
    if own.exists():
        given = yaml.safe_load(own.read_text()) or {}
        providers = {one["name"]: one for one in config["extensionProviders"]}
        providers |= {one["name"]: one for one in given.pop("extensionProviders", [])}
        config |= given | {"extensionProviders": list(providers.values())}
    operator = {
        "apiVersion": "install.istio.io/v1alpha1",
        "kind": "IstioOperator",
        "metadata": {"name": "mesh", "namespace": "istio-system"},
        "spec": {"meshConfig": config},
    }
    return str(yaml.safe_dump(operator))


def proxies(folder: Path) -> Mapping[str, str]:
    """The pods that istiod's output is of, by the name of their folder."""
    return {one["name"]: one["pod"] for one in json.loads((folder / "proxies.json").read_text())}


def istiod(folder: Path) -> Normal:
    """What istiod made of it."""
    found: Normal = {}
    for name in proxies(folder):
        dump = {kind: json.loads((folder / name / f"{kind}.json").read_text()) for kind in KINDS}
        found[name] = normal(dump)
    return found


def ours(text: str, pods: Mapping[str, str]) -> Normal:
    """What we make of it. Problems do not stop it: istiod too makes the most of what it is given."""
    mesh = resolve(loads(text), {}, {}).mesh
    return {name: normal(to_json(_compiled(mesh, key))) for name, key in pods.items()}


def _compiled(mesh: Mesh, key: str) -> Any:
    pod = mesh.pod(key)
    assert pod is not None, f"no pod {key}"
    return compile(mesh, pod)


def differences(expected: Any, actual: Any, path: str = "") -> Iterable[str]:
    """Where two normal forms differ, a line each: what istiod has and what we have."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in [*expected, *(key for key in actual if key not in expected)]:
            yield from differences(expected.get(key, _ABSENT), actual.get(key, _ABSENT), f"{path}/{key}")
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        for number, (one, other) in enumerate(zip(expected, actual, strict=True)):
            yield from differences(one, other, f"{path}[{number}]")
    elif expected != actual:
        yield f"{path}: istiod {_short(expected)}, we {_short(actual)}"


_ABSENT = "(nothing)"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) < 300 else f"{text[:300]}…"
