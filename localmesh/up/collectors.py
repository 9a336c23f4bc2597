"""The services that take spans in a cluster and that localmesh stands in for here. Pure.

Where their calls go is a text: `unix:/path`, which is localmesh's own receiver, or `host:port`, which is somebody's
collector (the environment variable OTLP_ENDPOINT at `localmesh up`). It is empty for who only looks at files.
"""

from collections.abc import Iterable, Mapping
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path
from urllib.parse import urlsplit

from localmesh.errors import MeshError
from localmesh.mesh.services import Endpoint, Resolution, Service, ServicePort
from localmesh.resolve.protocols import protocol_of
from localmesh.runtime.local import Collector

ENDPOINT = "OTLP_ENDPOINT"
UNIX = "unix:"


def chosen(environ: Mapping[str, str], own: Path) -> str:
    """Where spans go: to OTLP_ENDPOINT if this environment has it, else to localmesh's `own` socket.

    Raises MeshError if OTLP_ENDPOINT is no endpoint.
    """
    return address(environ[ENDPOINT]) if environ.get(ENDPOINT) else f"{UNIX}{own}"


def services(collectors: Iterable[Collector], at: str) -> tuple[Service, ...]:
    """The services, each port of which leads to `at`; nowhere if that is empty."""
    endpoints, resolution = _endpoints(at)
    return tuple(_service(each, endpoints, resolution) for each in collectors)


def address(url: str) -> str:
    """`host:port` of OTLP_ENDPOINT, which is written as for any OTLP/gRPC exporter: `http://127.0.0.1:4317`.

    Raises MeshError if it is something else.
    """
    try:
        parts = urlsplit(url)
        if parts.scheme == "http" and parts.hostname and parts.port and parts.path in {"", "/"}:
            return f"{parts.hostname}:{parts.port}"
    except ValueError:  # a port that is no number
        pass
    raise MeshError(f"{ENDPOINT}={url!r} is no OTLP/gRPC endpoint", f"such as {ENDPOINT}=http://127.0.0.1:4317")


def _service(collector: Collector, endpoints: tuple[Endpoint, ...], resolution: Resolution) -> Service:
    name, namespace = collector.host.split(".")[:2]
    ports = tuple(
        ServicePort(number, name, protocol_of(number, name), number) for name, number in collector.ports.items()
    )
    return Service(
        host=collector.host,
        name=name,
        namespace=namespace,
        ports=ports,
        resolution=resolution,
        endpoints={port.number: endpoints for port in ports},
    )


def _endpoints(at: str) -> tuple[tuple[Endpoint, ...], Resolution]:
    if not at:
        return (), Resolution.ENDPOINTS
    if at.startswith(UNIX):
        return (Endpoint(at.removeprefix(UNIX), 0),), Resolution.ENDPOINTS
    host, _, port = at.rpartition(":")
    try:
        IPv4Address(host)
    except AddressValueError:
        return (Endpoint(host, int(port)),), Resolution.DNS
    return (Endpoint(host, int(port)),), Resolution.ENDPOINTS
