"""Istio, installed by istioctl from the same document whose meshConfig localmesh reads."""

from collections.abc import Callable, Sequence

from deploy.kind import commands, images
from deploy.kind.commands import Failed
from deploy.kind.kubectl import Kubectl
from deploy.kind.settings import Settings

Tell = Callable[[str], None]

OPERATOR = "deploy/istio-operator.yaml"
# Instead of the file's own profile: with a ztunnel on each node. The waypoint is in a `restricted` namespace, and
# Istio's template gives it a seccomp profile only if it is told one.
AMBIENT = ("--set", "profile=ambient", "--set", "values.gateways.seccompProfile.type=RuntimeDefault")
WITHOUT_CNI = ("--set", "components.cni.enabled=false")
_INSTALL_SECONDS = 480


def given(settings: Settings) -> tuple[str, ...]:
    """What the bundle and the site say of the installation."""
    ambient = AMBIENT if "ambient" in settings.components else ()
    return ("-f", OPERATOR, *ambient, *settings.istio_args)


def arguments(settings: Settings, tell: Tell) -> tuple[str, ...]:
    """What istioctl is told. The CNI agent is left out where its image cannot be had (SKIP_PULL). Raises Failed."""
    said = given(settings)
    agent = [image for image in own_images(said) if "install-cni" in image]
    missing = [image for image in agent if not images.reachable(settings, image)]
    if not missing:
        return said
    if "ambient" in settings.components:
        raise Failed(
            f"{missing[0]} is nowhere, and without it there is no ambient mode\n  try: COMPONENTS without ambient"
        )
    tell(f"{missing[0]} is nowhere, so Istio comes without its CNI agent and pods get NET_ADMIN for their start")
    return (*said, *WITHOUT_CNI)


def own_images(arguments: Sequence[str]) -> list[str]:
    """The images that this installation uses; none if istioctl cannot tell beforehand with these arguments."""
    try:
        found = images.of_others(commands.output(["istioctl", "manifest", "generate", *arguments], limit=60))
    except Failed:
        return []  # an argument that only `install` knows; what is wrong with it, `install` will say
    # The sidecars' stands in the injector's template only; it has istiod's tag.
    return sorted({*found, *(image.replace("/pilot:", "/proxyv2:") for image in found)})


def installed(settings: Settings, arguments: Sequence[str]) -> None:
    """istiod answers, and the CNI agent runs on each node. Raises Failed."""
    command = ["istioctl", "install", "-y", "--context", settings.context, *arguments, "--readiness-timeout", "6m0s"]
    commands.show(command, limit=_INSTALL_SECONDS)


def has_cni(kubectl: Kubectl) -> bool:
    """Whether the cluster's Istio redirects traffic from the nodes: then pods need no capability. Raises Failed."""
    return bool(kubectl.items("daemonsets", "-A", "-l", "k8s-app=istio-cni-node"))
