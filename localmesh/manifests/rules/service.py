"""Kubernetes Services: ports whose protocol the mesh has to guess."""

from collections.abc import Iterator

from localmesh import codes
from localmesh.errors import Problem
from localmesh.manifests.kubernetes.service import Service
from localmesh.manifests.rules.protocols import KNOWN

_APP_PROTOCOLS = KNOWN | {"kubernetes.io/h2c", "kubernetes.io/ws", "kubernetes.io/wss"}


def problems(resource: Service) -> Iterator[Problem]:
    """What the API server would reject: two ports alike, several ports without names."""
    ports = resource.spec.ports
    names: set[str | None] = set()
    numbers: set[tuple[int, str]] = set()
    for port in ports:
        if len(ports) > 1 and not port.name:
            yield Problem(port.where, "name is missing", "a service of several ports names each")
        elif port.name in names:
            yield Problem(port.at("name"), f'the port name "{port.name}" is used twice')
        key = (port.port, port.protocol or "TCP")
        if key in numbers:
            yield Problem(port.at("port"), f"the port {port.port} is used twice")
        names.add(port.name)
        numbers.add(key)


def warnings(resource: Service) -> Iterator[Problem]:
    """Ports that name no protocol: the mesh looks at the first bytes, and treats what it does not know as TCP."""
    for port in resource.spec.ports:
        if port.protocol not in {None, "TCP"}:
            continue
        if port.app_protocol:
            if port.app_protocol.lower() not in _APP_PROTOCOLS:
                what = f'"{port.app_protocol}" is no protocol that Istio knows: it is detected by its first bytes'
                yield codes.UNKNOWN_PROTOCOL.at(port.at("app_protocol"), what, "such as grpc, http2 or tcp")
        elif not _named(port.name or ""):
            what = f'the port "{port.name or port.port}" names no protocol: it is detected by its first bytes'
            yield codes.PORT_WITHOUT_PROTOCOL.at(
                port.where, what, f'appProtocol: grpc, or the name "grpc-{port.name or "api"}"'
            )


def _named(name: str) -> bool:
    """Whether a port's name is a protocol, or begins with one and a dash."""
    return any(name.lower() == each or name.lower().startswith(f"{each}-") for each in KNOWN)
