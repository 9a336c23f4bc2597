"""The kind cluster: found as it should be, mended where that is possible, made anew where it is half made."""

import time
from collections.abc import Callable

from deploy.kind import commands
from deploy.kind.commands import Failed
from deploy.kind.kubectl import Kubectl
from deploy.kind.settings import Settings

Tell = Callable[[str], None]

_CREATE_SECONDS = 600
_ANSWER_SECONDS = 90


def ensured(settings: Settings, tell: Tell) -> None:
    """The cluster is there, all its nodes are ready, and kubectl knows its context. Raises Failed."""
    if settings.cluster in clusters():
        _start_stopped_nodes(settings, tell)
        if _whole(settings):
            tell(f"{settings.cluster} is there already")
            return
        tell(f"{settings.cluster} was left half made: it is removed and made anew")
        removed(settings)
    command = ["kind", "create", "cluster", "--name", settings.cluster, "--config", str(settings.kind_config)]
    if settings.kind_node_image:
        command += ["--image", settings.kind_node_image]
    commands.show([*command, "--wait", "180s"], limit=_CREATE_SECONDS)


def removed(settings: Settings) -> None:
    """Nothing of the cluster is left. Raises Failed."""
    commands.show(["kind", "delete", "cluster", "--name", settings.cluster], limit=120)


def clusters() -> list[str]:
    """The names of the kind clusters of this Docker engine. Raises Failed."""
    return commands.output(["kind", "get", "clusters"], limit=30).split()


def nodes(settings: Settings) -> list[str]:
    """The nodes, which are containers of these names. Raises Failed."""
    return commands.output(["kind", "get", "nodes", "--name", settings.cluster], limit=30).split()


def _start_stopped_nodes(settings: Settings, tell: Tell) -> None:
    """After a reboot the containers are there and do not run."""
    for node in nodes(settings):
        state = commands.output(["docker", "inspect", "--format", "{{.State.Running}}", node], limit=20).strip()
        if state != "true":
            tell(f"starting {node}")
            commands.output(["docker", "start", node], limit=60)


def _whole(settings: Settings) -> bool:
    """Whether `kind create` once came to its end: joining the workers is its last work."""
    if not commands.succeeds(["kind", "export", "kubeconfig", "--name", settings.cluster], limit=30):
        return False
    kubectl = Kubectl(settings.context)
    wanted = set(nodes(settings))
    end = time.monotonic() + _ANSWER_SECONDS
    while time.monotonic() < end:
        try:
            joined = kubectl.items("nodes")
        except Failed:
            time.sleep(2)  # the API server of a node just started needs a while
            continue
        if {node["metadata"]["name"] for node in joined} != wanted:
            return False
        kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=120s", limit=130)
        return True
    return False
