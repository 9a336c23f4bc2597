"""The images: ours built, those of others pulled, all of them loaded into the nodes."""

import re
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import yaml

from deploy.kind import cluster, commands
from deploy.kind.commands import Failed
from deploy.kind.settings import ROOT, Settings

Tell = Callable[[str], None]

DOCKERFILE = Path("services/Dockerfile")
_BUILD_SECONDS = 900
_PULL_SECONDS = 600
_LOAD_SECONDS = 300


def name(settings: Settings, service: str) -> str:
    """The image of one of our programs."""
    return f"localmesh/{service}:{settings.image_tag}"


def build(settings: Settings, service: str) -> None:
    """Builds a service's image. Raises Failed."""
    arguments = ["--build-arg", f"VERSION={settings.image_tag}", "--build-arg", f"REVISION={_revision()}"]
    command = ["docker", "build", *arguments, *settings.docker_build_args, "-f", str(DOCKERFILE)]
    commands.show([*command, "--target", service, "-t", name(settings, service), "."], limit=_BUILD_SECONDS)


def build_all(settings: Settings, services: Iterable[str], tell: Tell) -> None:
    """Builds the services' images and tells their sizes. Raises Failed."""
    for service in services:
        build(settings, service)
        tell(size(settings, service))


def build_echo(settings: Settings) -> None:
    """Builds the lab's image, for tests/mesh: on top of the user service's. Raises Failed."""
    command = ["docker", "build", "--build-arg", f"BASE={name(settings, 'user')}", *settings.docker_build_args]
    commands.show(
        [*command, "-f", "tests/mesh/lab/Dockerfile", "-t", name(settings, "echo"), "."], limit=_BUILD_SECONDS
    )


def identifiers(settings: Settings, services: Iterable[str]) -> dict[str, str]:
    """The IDs of the images that were built, by service. Raises Failed."""
    return {service: _inspected("{{.Id}}", name(settings, service)) for service in services}


def size(settings: Settings, service: str) -> str:
    """Name and size, for a person. Raises Failed."""
    image = name(settings, service)
    return f"{image}: {int(_inspected('{{.Size}}', image)) / 1e6:.0f} MB"


def load_ours(settings: Settings, services: Iterable[str]) -> None:
    """Into every node; kind leaves out what is there already. Raises Failed."""
    wanted = [name(settings, service) for service in services]
    commands.show(["kind", "load", "docker-image", *wanted, "--name", settings.cluster], limit=_LOAD_SECONDS)


def load_others(settings: Settings, images: Iterable[str], tell: Tell) -> None:
    """Pulled once by docker instead of once by each node. Nothing fails here: a node pulls what it lacks by itself."""
    for image in images:
        if not in_docker(image):
            if settings.skip_pull:
                tell(f"{image}: not in docker, so the nodes must have it")
                continue
            try:
                commands.show(["docker", "pull", "--quiet", image], limit=_PULL_SECONDS)
            except Failed as error:
                tell(f"{image} was not pulled, and the nodes will try: {str(error).splitlines()[0]}")
                continue
        try:
            commands.show(["kind", "load", "docker-image", image, "--name", settings.cluster], limit=_LOAD_SECONDS)
        except Failed as error:
            # Known: an image for several platforms, in docker's containerd store, of which only one was pulled.
            tell(f"{image} was not loaded, and the nodes will pull it: {str(error).splitlines()[0]}")


def other_tags(settings: Settings, images: Iterable[str], tell: Tell) -> dict[str, str]:
    """By repository, the tag to use in place of the named one: where nothing is pulled, and docker has only that.

    Raises Failed.
    """
    found: dict[str, str] = {}
    for image in images:
        if reachable(settings, image):
            continue
        if tags := tags_in_docker(image):
            repository = image.rpartition(":")[0]
            tell(f"{image} is not in docker, but {repository}:{tags[0]} is, and is used")
            found[repository] = tags[0]
    return found


def tags_in_docker(image: str) -> list[str]:
    """The tags that docker has of this image's repository, newest first; none for a digest. Raises Failed."""
    repository, _, tag = image.rpartition(":")
    if "@" in image or "/" in tag:
        return []
    listed = ["docker", "image", "ls", "--format", "{{.Tag}}", repository]
    return [each for each in commands.output(listed, limit=30).split() if each != "<none>"]


def reachable(settings: Settings, image: str) -> bool:
    """Whether pods can get this image: by a pull, from docker, or because every worker has it."""
    if not settings.skip_pull or in_docker(image):
        return True
    nodes = cluster.nodes(settings)
    workers = [node for node in nodes if not node.endswith("-control-plane")] or nodes
    return bool(workers) and all(
        commands.succeeds(["docker", "exec", node, "crictl", "inspecti", "-q", image], limit=30) for node in workers
    )


def bases() -> list[str]:
    """The images that ours are built on."""
    return sorted({*re.findall(r"(?m)^FROM (\S+:\S+)", (ROOT / DOCKERFILE).read_text())})


def of_others(manifests: str) -> list[str]:
    """The images in these documents that are not ours, each once: they name fixed tags, as ours do."""
    found: list[str] = []
    for document in yaml.safe_load_all(manifests):
        found += _images(document)
    return sorted({image for image in found if not image.startswith("localmesh/") and re.search(r"[:@/]", image)})


def _images(node: object) -> Iterable[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "image" and isinstance(value, str):
                yield value
            else:
                yield from _images(value)
    elif isinstance(node, list):
        for each in node:
            yield from _images(each)


def in_docker(image: str) -> bool:
    """Whether docker has it under this very name."""
    return commands.succeeds(["docker", "image", "inspect", "--format", "{{.Id}}", image], limit=30)


def _inspected(template: str, image: str) -> str:
    return commands.output(["docker", "image", "inspect", "--format", template, image], limit=30).strip()


def _revision() -> str:
    """The commit, for the image's label; nothing depends on it."""
    command = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return done.stdout.strip() or "unknown"
