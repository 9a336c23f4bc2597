"""Writing small documents and reading what is said about them."""

from textwrap import dedent

from localmesh.errors import Problem, Problems
from localmesh.manifests import Documents, loads

API = {
    "VirtualService": "networking.istio.io/v1",
    "DestinationRule": "networking.istio.io/v1",
    "Gateway": "networking.istio.io/v1",
    "ServiceEntry": "networking.istio.io/v1",
    "WorkloadEntry": "networking.istio.io/v1",
    "Sidecar": "networking.istio.io/v1",
    "PeerAuthentication": "security.istio.io/v1",
    "AuthorizationPolicy": "security.istio.io/v1",
    "RequestAuthentication": "security.istio.io/v1",
    "Telemetry": "telemetry.istio.io/v1",
    "Service": "v1",
    "Pod": "v1",
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
}


def document(kind: str, spec: str, name: str = "it") -> str:
    """A document of a kind, with its spec as flow YAML."""
    head = f"apiVersion: {API[kind]}\nkind: {kind}\nmetadata: {{name: {name}, namespace: mesh}}\n"
    return f"{head}spec: {spec}\n"


def accepted(text: str, file: str = "it.yaml") -> Documents:
    """The documents of a text in which nothing is wrong."""
    return loads(dedent(text), file)


def refused(text: str, file: str = "it.yaml") -> tuple[Problem, ...]:
    """What is wrong in a text."""
    try:
        loads(dedent(text), file)
    except Problems as raised:
        return raised.problems
    raise AssertionError(f"nothing was found wrong in:\n{text}")
