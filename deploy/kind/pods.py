"""The pods of a kind cluster as their operator sees them, and kill -9 as the kernel does it."""

from dataclasses import dataclass
from typing import Any

from deploy.kind import commands
from deploy.kind.commands import Failed
from deploy.kind.kubectl import Kubectl

PROXY = "istio-proxy"


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a pod: `id` is the runtime's, empty where it has not begun."""

    name: str
    id: str
    restarts: int
    waiting: str  # why it waits; empty if it does not


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod."""

    namespace: str
    name: str
    node: str
    address: str
    state: str
    ready: bool
    labels: dict[str, str]
    containers: tuple[Container, ...]

    @property
    def app(self) -> Container | None:
        """The container that is not the sidecar; of a gateway it is the proxy itself."""
        ours = [container for container in self.containers if container.name != PROXY]
        return next(iter(ours or self.containers), None)

    def container(self, name: str) -> Container:
        """By name. Raises Failed."""
        for container in self.containers:
            if container.name == name:
                return container
        raise Failed(f"{self.namespace}/{self.name} has no container {name}")


def pod(item: dict[str, Any]) -> Pod:
    """From kubectl's JSON. A native sidecar is an init container there; one that only prepares is left out."""
    meta, spec, status = item["metadata"], item["spec"], item.get("status", {})
    sidecars = {each["name"] for each in spec.get("initContainers", []) if each.get("restartPolicy") == "Always"}
    told = [
        *(each for each in status.get("initContainerStatuses", []) if each["name"] in sidecars),
        *status.get("containerStatuses", []),
    ]
    going = bool(meta.get("deletionTimestamp"))
    conditions = {each["type"]: each["status"] for each in status.get("conditions", [])}
    ready = conditions.get("Ready") == "True" and not going
    return Pod(
        namespace=meta["namespace"],
        name=meta["name"],
        node=spec.get("nodeName", ""),
        address=status.get("podIP", ""),
        state="Terminating" if going else "Ready" if ready else status.get("phase", "Unknown"),
        ready=ready,
        labels=meta.get("labels", {}),
        containers=tuple(
            Container(
                each["name"],
                each.get("containerID", "").partition("://")[2],
                each.get("restartCount", 0),
                each.get("state", {}).get("waiting", {}).get("reason", ""),
            )
            for each in told
        ),
    )


def pods(kubectl: Kubectl, *namespaces: str) -> list[Pod]:
    """All pods of these namespaces. Raises Failed."""
    return [pod(item) for each in namespaces for item in kubectl.items("pods", "-n", each)]


def kill(found: Pod, container: str, signal: str = "KILL") -> None:
    """Send a signal to a container's first process, from the node: within it the kernel lets nobody kill process 1.

    A node of kind is a container of docker. Raises Failed.
    """
    one = found.container(container)
    template = "{{.info.pid}}"
    inspect = ["docker", "exec", found.node, "crictl", "inspect", "-o", "go-template", "--template", template, one.id]
    pid = commands.output(inspect, limit=30).strip()
    if not pid.isdecimal() or int(pid) <= 1:
        raise Failed(f"{found.namespace}/{found.name}: {container} has no process on {found.node}: {pid!r}")
    commands.output(["docker", "exec", found.node, "kill", f"-{signal}", pid], limit=30)
