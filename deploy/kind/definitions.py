"""The definitions (CRDs) of the Gateway API, which neither Kubernetes nor Istio brings, for who needs them."""

from collections.abc import Callable

from deploy.kind.commands import Failed
from deploy.kind.kubectl import Kubectl
from deploy.kind.settings import Settings

Tell = Callable[[str], None]

NEEDED_BY = frozenset({"ambient", "gateway-api"})
_NAMES = tuple(f"customresourcedefinition/{kind}.gateway.networking.k8s.io" for kind in ("gateways", "httproutes"))


def ensured(settings: Settings, kubectl: Kubectl, tell: Tell) -> None:
    """They are there if one of the components needs them. Raises Failed, naming the components and the variable."""
    asking = sorted(NEEDED_BY.intersection(settings.components))
    if not asking:
        tell("no component needs them")
        return
    if len(kubectl("get", *_NAMES, "--ignore-not-found", "-o", "name").split()) == len(_NAMES):
        tell("they are there already")
        return
    try:
        # Server-side: one of them is larger than an annotation may be.
        kubectl("apply", "--server-side", "-f", settings.gateway_api, limit=120)
        kubectl("wait", "--for=condition=Established", *_NAMES, "--timeout=60s", limit=70)
    except Failed as error:
        hint = f"GATEWAY_API=<a file or address of standard-install.yaml>, or COMPONENTS without {', '.join(asking)}"
        raise Failed(f"{error}\n  try: {hint}") from None
