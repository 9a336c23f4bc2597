"""The ways into the cluster from this machine: the gateway, and the pages of what watches the mesh."""

import json
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from time import sleep

from deploy.kind.commands import Failed
from deploy.kind.kubectl import Kubectl
from deploy.kind.settings import Settings

Tell = Callable[[str], None]

_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Way:
    """A Service and the port of 127.0.0.1 that leads to it, unless PORT names another."""

    namespace: str
    service: str
    port: int  # of the Service
    here: int  # of 127.0.0.1
    path: str = "/"

    def opened_at(self, settings: Settings) -> int:
        """The port of 127.0.0.1."""
        return settings.port or self.here


GATEWAY = Way("mesh", "gateway", 80, 8080)
# By the name of the component that brings it.
PAGES = {
    "jaeger": Way("observability", "jaeger", 16686, 16686),
    "prometheus": Way("observability", "prometheus", 9090, 9090, "/alerts"),
    "grafana": Way("observability", "grafana", 3000, 3000),
    "kiali": Way("observability", "kiali", 20001, 20001, "/kiali"),
}


def gateway(settings: Settings, tell: Tell) -> None:
    """The gateway on 127.0.0.1 until Ctrl-C. Raises Failed."""
    kept(settings, GATEWAY, tell)


def page(settings: Settings, component: str, tell: Tell) -> None:
    """The page of a component on 127.0.0.1 until Ctrl-C. Raises Failed, with what would bring the component."""
    way = PAGES[component]
    said = Kubectl(settings.context)(
        "get", "service", way.service, "-n", way.namespace, "--ignore-not-found", "-o", "json"
    )
    if not said or json.loads(said).get("kind") != "Service":
        components = " ".join(dict.fromkeys((*settings.components, component)))
        raise Failed(f'{component} is not deployed here\n  try: make kind-up COMPONENTS="{components}"')
    tell(f"{component}: http://127.0.0.1:{way.opened_at(settings)}{way.path}   (Ctrl-C ends it)")
    kept(settings, way, tell)


def kept(settings: Settings, way: Way, tell: Tell) -> None:
    """A port-forward leads to one pod: when that goes, it is opened anew, to another. Never returns; raises Failed."""
    here = way.opened_at(settings)
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", here)) == 0:
            raise Failed(f"127.0.0.1:{here} is in use\n  try: another port, PORT=…")
    forward = ("-n", way.namespace, "port-forward", f"svc/{way.service}", f"{here}:{way.port}")
    while True:
        ended = subprocess.run(Kubectl(settings.context).words(*forward), check=False).returncode
        tell(f"the forward ended ({ended}); opening another")
        sleep(_PAUSE_SECONDS)
