"""The names that a pod's environment dials. Pure.

A cluster's pods reach a service by its name, and iptables takes the call to the sidecar. Here each name that stands in
a pod's environment as `host:port` is replaced by an address of the pod's own sidecar, where a listener stands for it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from localmesh.errors import Problem, Where
from localmesh.mesh import Dial, Service
from localmesh.runtime.addresses import FIRST_DIAL_PORT

# `host:port` alone or inside a URL or a list; not `user:50051@`, which is a name and a password.
_NAME_AND_PORT = re.compile(r"(?<![\w.-])([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?\.?):(\d{1,5})(?![\w@.])")
_CLUSTER_DOMAIN = "cluster.local"


@dataclass(slots=True)
class Dialed:
    """What the pod has dialed so far, and what was wrong with it."""

    namespace: str
    address: str  # of the pod
    services: dict[str, Service]
    dials: dict[str, Dial] = field(default_factory=dict)  # by authority
    problems: list[Problem] = field(default_factory=list)

    def replace(self, text: str, where: Where | None) -> str:
        """The text with each `host:port` of a service replaced by the sidecar's listener for it."""

        def listener(found: re.Match[str]) -> str:
            dial = self._dial(found[1], int(found[2]), where or Where("the manifest"))
            return f"{dial.listen_address}:{dial.listen_port}" if dial else found[0]

        return _NAME_AND_PORT.sub(listener, text)

    def _dial(self, name: str, port: int, where: Where) -> Dial | None:
        authority = f"{name}:{port}"
        if authority in self.dials:
            return self.dials[authority]
        service = self._service(name)
        if service is None:
            if name.rstrip(".").endswith((".svc", f".svc.{_CLUSTER_DOMAIN}")):
                self.problems.append(Problem(where, f"there is no service {name}", _single_pod(name, self.services)))
            return None
        if service.port(port) is None:
            # A short name before a colon may be many things; with dots it is a service's.
            if "." in name:
                ports = ", ".join(str(each.number) for each in service.ports)
                self.problems.append(Problem(where, f"{service.host} has no port {port}", f"it has {ports}"))
            return None
        dial = Dial(service.host, port, self.address, FIRST_DIAL_PORT + len(self.dials), authority)
        self.dials[authority] = dial
        return dial

    def _service(self, name: str) -> Service | None:
        """As resolv.conf of a pod has it: the own namespace first, then the others."""
        name = name.rstrip(".")
        searched = (f".{self.namespace}.svc.{_CLUSTER_DOMAIN}", f".svc.{_CLUSTER_DOMAIN}", f".{_CLUSTER_DOMAIN}", "")
        return next((self.services[name + end] for end in searched if name + end in self.services), None)


def by_host(services: Iterable[Service]) -> dict[str, Service]:
    """The services by their full host names."""
    return {service.host: service for service in services}


def _single_pod(name: str, services: dict[str, Service]) -> str:
    below = name.partition(".")[2]
    if any(host in services for host in (below, f"{below}.{_CLUSTER_DOMAIN}")):
        return f"names of single pods do not work locally: name the service, {below}"
    return ""
