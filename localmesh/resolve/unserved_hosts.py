"""Hosts of VirtualServices that no Gateway serves which they are bound to: their routes are nowhere."""

from collections.abc import Iterable

from localmesh.codes import NOT_AT_THE_GATEWAY
from localmesh.manifests.istio import Gateway
from localmesh.resolve.findings import Findings
from localmesh.resolve.gateway_servers import Opened
from localmesh.resolve.hosts import intersection
from localmesh.resolve.virtual_services import MESH, Bound


def check_hosts(every: Iterable[Bound], gateways: Iterable[Gateway], findings: Findings) -> None:
    """A host may be served at one of the gateways only; one that `mesh` is among is a host of the mesh too."""
    known = {f"{each.namespace}/{each.name}": each for each in gateways}
    for bound in every:
        named = [known[name] for name in bound.gateways if name in known]
        if bound.written is None or not named or MESH in bound.gateways:
            continue
        for index, host in enumerate(bound.hosts):
            if not any(intersection(_hosts(gateway, bound.namespace), (host,)) for gateway in named):
                names = " and ".join(f"{each.namespace}/{each.name}" for each in named)
                what = f"{host} is no host of Gateway {names} for namespace {bound.namespace}"
                findings.warn(NOT_AT_THE_GATEWAY, bound.written.spec.at("hosts", index), what)


def _hosts(gateway: Gateway, namespace: str) -> tuple[str, ...]:
    return tuple(host for server in gateway.spec.servers for host in Opened(gateway, server, 0).hosts_for(namespace))
