"""What a test may do to a mesh, whatever it runs on."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class PodInfo:
    """One pod as its operator sees it."""

    name: str  # namespace/name
    address: str
    state: str
    ready: bool
    restarts: int


class Refused(Exception):
    """The mesh did not take a policy; the text is what its operator is told."""


class Mesh(Protocol):
    """A running mesh with the bundle and the lab in it."""

    gateway: str
    """`host:port` of the gateway, plaintext HTTP/2."""

    edge: str
    """`host:port` of port 80 of the lab's own gateway, `app: edge`. It serves what a test's policies say."""

    edge_tls: str
    """`host:port` of its port 443."""

    def pods(self) -> tuple[PodInfo, ...]:
        """All pods."""

    @contextmanager
    def policy(self, *documents: str) -> Iterator[None]:
        """Put YAML documents in force (new, or in place of those of the same kind and name); at the end take them back.

        Policies may be put in force within one another. Raises Refused, and then nothing has changed.
        """

    def token(self, subject: str, **claims: object) -> str:
        """A JWT that the mesh accepts, with any claim replaced."""

    def kill(self, pod: str, signal: str = "KILL") -> None:
        """Send a signal to a pod's app."""

    def kill_proxy(self, pod: str) -> None:
        """kill -9 a pod's Envoy."""

    def scale(self, workload: str, replicas: int) -> None:
        """Change the number of pods and wait until they are ready."""

    def restart(self, workload: str) -> None:
        """A rolling restart, and wait for its end."""

    def logs(self, pod: str) -> str:
        """All that a pod has written: app and proxy."""

    def trace(self, trace_id: str) -> dict[str, Any]:
        """A trace as OTLP's JSON (TracesData). Raises Refused while nothing of it has come."""

    def metrics(self) -> str:
        """What a Prometheus reads of all pods of the bundle, as text: the apps' metrics and the proxies'."""

    @contextmanager
    def reach(self, pod: str, port: int) -> Iterator[tuple[str, int]]:
        """An address by which a TCP client outside the mesh comes to this port of the pod, before its sidecar."""
