"""docker, kind, kubectl and istioctl, played: each call is written down, and a little world answers it.

The world is a file of `marshal`: half of the time of a call would be the import of json. What a test sets in it:
  clusters, nodes {node: running}, joined [node], images [name]   what there is
  loaded [name]                                                    what the nodes have
  answers {"program words": [stdout, …]}     told in turn for calls that begin so; the last again and again
  fails {"program words": [times, message]}  calls that begin so fail so often
  hangs ["program words"]                    calls that begin so do not come to an end

    python programs.py PROGRAM WORDS…        # WORLD names the file
"""

# Imported at every call, of which a `kind-up` makes some forty: nothing that takes long.
from __future__ import annotations

import fcntl
import marshal
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VERSIONS = {
    "docker version": "28.2.2\n",
    "docker info --format {{.MemTotal}}": "17179869184\n",
    "docker info --format {{.DockerRootDir}}": "/\n",
    "kind version": "kind v0.32.0 go1.26.1 linux/amd64\n",
    "kubectl version": "Client Version: v1.35.1\nKustomize Version: v5.7.1\n",
    "istioctl version": "client version: 1.30.4\n",
    "istioctl manifest generate": "image: hub.example/pilot:1.30.4\n---\nimage: hub.example/install-cni:1.30.4\n",
}


def play(world: dict[str, Any], words: list[str]) -> str:
    """What the program prints; the world is changed by it. Raises SystemExit with a complaint."""
    line = " ".join(each for each in words)
    plain = line.replace(" --context kind-test", "")
    world.setdefault("calls", []).append(plain)
    for start, failure in world.get("fails", {}).items():
        if plain.startswith(start) and failure[0] > 0:
            failure[0] -= 1
            raise SystemExit(failure[1])
    for start, answers in world.get("answers", {}).items():
        if plain.startswith(start):
            return str(answers.pop(0) if len(answers) > 1 else answers[0])
    for start, answer in VERSIONS.items():
        if plain.startswith(start):
            return answer
    return str(ACTIONS[words[0]](world, words[1:], plain))


def docker(world: dict[str, Any], words: list[str], line: str) -> str:
    """Images and nodes."""
    images: list[str] = world.setdefault("images", [])
    if words[0] == "build":
        images.append(words[words.index("-t") + 1])
    elif words[:2] == ["image", "inspect"]:
        if words[-1] not in images:
            raise SystemExit(f"No such image: {words[-1]}")
        return "120000000\n" if "Size" in line else f"sha256:{world.get('build', 'one')}\n"
    elif words[:2] == ["image", "ls"]:
        return "".join(f"{image.rpartition(':')[2]}\n" for image in images if image.rpartition(":")[0] == words[-1])
    elif words[0] == "pull":
        images.append(words[-1])
    elif words[0] == "inspect":
        return "true\n" if world["nodes"][words[-1]] else "false\n"
    elif words[0] == "start":
        world["nodes"][words[1]] = True
    elif words[0] == "exec" and "inspecti" in words and words[-1] not in world.get("loaded", []):
        raise SystemExit("no such image")
    return ""


def kind(world: dict[str, Any], words: list[str], line: str) -> str:
    """The cluster."""
    clusters: list[str] = world.setdefault("clusters", [])
    nodes = [f"test-{name}" for name in ("control-plane", "worker", "worker2")]
    match words[:2]:
        case ["get", "clusters"]:
            return "\n".join(clusters)
        case ["get", "nodes"]:
            return "\n".join(world.get("nodes", {}))
        case ["create", "cluster"]:
            clusters.append("test")
            world["nodes"], world["joined"] = dict.fromkeys(nodes, True), nodes
        case ["delete", "cluster"]:
            clusters.clear()
            world["nodes"], world["joined"], world["loaded"] = {}, [], []
        case ["load", "docker-image"]:
            world.setdefault("loaded", []).extend(words[2 : words.index("--name")])
    return ""


def kubectl(world: dict[str, Any], words: list[str], line: str) -> str:
    """Everything is as asked, at once."""
    items: list[Any] = []
    if "--ignore-not-found" in words:
        return ""
    if "get nodes" in line:
        items = [{"metadata": {"name": name}} for name in world["joined"]]
    elif "get daemonsets" in line:
        items = [{"metadata": {"name": "istio-cni-node"}}] if world.get("cni") else []
    elif "kustomize" in words:
        return "spec: {containers: [{image: 'localmesh/user:0.1.0'}, {image: 'nats:2.12'}, {image: auto}]}\n"
    elif words[0] == "--context" and "apply" in words:
        return "namespace/mesh created\ndeployment.apps/chat unchanged\n"
    if "json" not in words:
        return ""
    import json

    return json.dumps({"items": items})


def istioctl(world: dict[str, Any], words: list[str], line: str) -> str:
    """With its CNI agent unless told otherwise."""
    if words[0] == "install":
        world["cni"] = "components.cni.enabled=false" not in words
    return ""


ACTIONS = {"docker": docker, "kind": kind, "kubectl": kubectl, "istioctl": istioctl}


def main() -> None:
    """One call."""
    with open(os.environ["WORLD"], "rb+") as file:  # noqa: PTH123  pathlib takes long
        fcntl.flock(file, fcntl.LOCK_EX)
        world = marshal.load(file)
        line = " ".join(sys.argv[1:]).replace(" --context kind-test", "")
        try:
            said = play(world, sys.argv[1:])
        finally:
            file.seek(0)
            file.truncate()
            marshal.dump(world, file)
    while any(line.startswith(start) for start in world.get("hangs", [])):
        time.sleep(60)
    sys.stdout.write(said)


if __name__ == "__main__":
    main()
