"""`make doctor`: what a kind cluster needs, what of it is missing or too old, and how to get it."""

import re
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from deploy.kind import commands, images, istio, overlay
from deploy.kind.settings import Settings
from deploy.kind.ways import GATEWAY

ISTIO = (1, 30)
_GB = 1 << 30
_INOTIFY = Path("/proc/sys/fs/inotify")


class Verdict(Enum):
    """How a finding weighs."""

    GOOD = "ok"
    DOUBTFUL = "!"
    BAD = "✗"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `remedy` is empty where nothing is to be done."""

    verdict: Verdict
    name: str
    found: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Tool:
    """A program: how it tells its version, the oldest that will do, and where to get it."""

    name: str
    version: tuple[str, ...]
    oldest: tuple[int, ...]
    get: str


TOOLS = (
    Tool("kind", ("kind", "version"), (0, 27), "https://kind.sigs.k8s.io/docs/user/quick-start/#installation"),
    Tool("kubectl", ("kubectl", "version", "--client"), (1, 31), "https://kubernetes.io/docs/tasks/tools/"),
    Tool(
        "istioctl",
        ("istioctl", "version", "--remote=false"),
        ISTIO,
        "curl -L https://istio.io/downloadIstio | ISTIO_VERSION=1.30.4 sh -, then its bin/ on PATH",
    ),
)


def findings(settings: Settings) -> Iterator[Finding]:
    """Everything that is looked at, one by one."""
    docker = docker_found()
    yield docker
    for tool in TOOLS:
        yield tool_found(tool)
    yield from inotify_found(_INOTIFY)
    if docker.verdict is Verdict.GOOD:
        yield memory_found()
        yield disk_found()
        if settings.skip_pull:
            yield from images_found(settings)
    yield port_found(GATEWAY.opened_at(settings))


def healthy(settings: Settings, tell: Callable[[str], None]) -> bool:
    """Tells all findings; whether none is bad."""
    good = True
    for finding in findings(settings):
        tell(f"  {finding.verdict.value:<2} {finding.name:<10} {finding.found}")
        if finding.remedy:
            tell(f"     {'':<10} → {finding.remedy}")
        good = good and finding.verdict is not Verdict.BAD
    return good


def docker_found() -> Finding:
    """The Docker engine, which must answer: the client alone makes no containers."""
    try:
        version = commands.output(["docker", "version", "--format", "{{.Server.Version}}"], limit=20).strip()
    except commands.NotInstalled:
        return Finding(Verdict.BAD, "docker", "not on PATH", "https://docs.docker.com/engine/install/")
    except commands.Failed as error:
        last = str(error).splitlines()[-1].strip()
        return Finding(Verdict.BAD, "docker", f"the engine does not answer: {last}", "start it, or set DOCKER_HOST")
    return Finding(Verdict.GOOD, "docker", version)


def tool_found(tool: Tool) -> Finding:
    """A program and its version. A newer istioctl than the pinned one is doubtful: it installs another Istio."""
    wanted = ".".join(map(str, tool.oldest))
    try:
        said = commands.output(tool.version, limit=20)
    except commands.Failed as error:
        found = "not on PATH" if isinstance(error, commands.NotInstalled) else str(error).splitlines()[0]
        return Finding(Verdict.BAD, tool.name, found, f"{wanted} or later: {tool.get}")
    match = re.search(r"v?(\d+)\.(\d+)\.(\d+)", said)
    version = tuple(map(int, match.groups())) if match else (0, 0, 0)
    if version == (0, 0, 0):  # built by hand: Go's tools then say nothing or v0.0.0
        return Finding(Verdict.DOUBTFUL, tool.name, f"says no version: {said.strip()[:60]!r}", f"{wanted} is needed")
    shown = ".".join(map(str, version))
    if version < tool.oldest:
        return Finding(Verdict.BAD, tool.name, f"{shown} is too old", f"{wanted} or later: {tool.get}")
    if tool.name == "istioctl" and version[:2] != ISTIO:
        return Finding(
            Verdict.DOUBTFUL, tool.name, f"{shown}, not {wanted}.x", f"the bundle is made for it: {tool.get}"
        )
    return Finding(Verdict.GOOD, tool.name, shown)


def inotify_found(folder: Path) -> Iterator[Finding]:
    """Limits that three nodes on one kernel outgrow: pods then fail with "too many open files"."""
    for name, enough in (("max_user_instances", 512), ("max_user_watches", 524_288)):
        try:
            limit = int((folder / name).read_text())
        except OSError:
            continue  # not Linux: Docker's own machine decides
        if limit < enough:
            remedy = f"sudo sysctl fs.inotify.{name}={enough}"
            yield Finding(Verdict.DOUBTFUL, "inotify", f"{name} is {limit}", remedy)
        else:
            yield Finding(Verdict.GOOD, "inotify", f"{name} is {limit}")


def memory_found() -> Finding:
    """What Docker may use: on a Mac that is its machine's memory, not the Mac's."""
    total = int(commands.output(["docker", "info", "--format", "{{.MemTotal}}"], limit=20) or 0)
    shown = f"{total / _GB:.1f} GB for docker"
    if total < 6 * _GB:
        return Finding(Verdict.DOUBTFUL, "memory", shown, "the cluster wants 6 GB")
    return Finding(Verdict.GOOD, "memory", shown)


def disk_found() -> Finding:
    """Free room where Docker keeps its images, if this machine can see that folder."""
    root = Path(commands.output(["docker", "info", "--format", "{{.DockerRootDir}}"], limit=20).strip() or "/")
    free = shutil.disk_usage(root if root.exists() else Path("/")).free
    shown = f"{free / _GB:.0f} GB free"
    if free < 10 * _GB:
        return Finding(Verdict.DOUBTFUL, "disk", shown, "10 GB for node images and ours: docker system prune")
    return Finding(Verdict.GOOD, "disk", shown)


def images_found(settings: Settings) -> Iterator[Finding]:
    """Where nothing is pulled (SKIP_PULL): which of the images docker has. What it has not, the nodes may have."""
    for image in images.bases():
        yield image_found(image, "load it into docker: ours are built on it")
    for image in istio.own_images(istio.given(settings)):
        yield image_found(image, 'load it into docker or the nodes, or ISTIO_ARGS="--set hub=… --set tag=…"')
    folder = overlay.written(settings.work, overlay.kustomization(settings.work, "none", settings.components, {}))
    for image in images.of_others(commands.output(["kubectl", "kustomize", str(folder)], limit=60)):
        if not images.in_docker(image) and (tags := images.tags_in_docker(image)):
            yield Finding(Verdict.GOOD, "image", f"{image}, as {tags[0]}")  # images.other_tags
        else:
            yield image_found(image, "load it into docker or the nodes")


def image_found(image: str, remedy: str) -> Finding:
    """Whether docker has it under this very name."""
    if images.in_docker(image):
        return Finding(Verdict.GOOD, "image", image)
    return Finding(Verdict.DOUBTFUL, "image", f"{image} is not in docker", remedy)


def port_found(port: int) -> Finding:
    """The port that kind-forward opens. The local mesh has the same one by default."""
    with socket.socket() as probe:
        probe.settimeout(1)
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            remedy = "make down, if it is the local mesh; or another PORT for make kind-forward"
            return Finding(Verdict.DOUBTFUL, "port", f"127.0.0.1:{port} is in use", remedy)
    return Finding(Verdict.GOOD, "port", f"127.0.0.1:{port} is free")
