"""PeerAuthentication: modes of ports need a workload to be modes of."""

from collections.abc import Iterator

from localmesh.errors import Problem
from localmesh.manifests.istio.security import PeerAuthentication
from localmesh.manifests.rules import selectors


def problems(resource: PeerAuthentication) -> Iterator[Problem]:
    """What istiod would reject it for."""
    spec = resource.spec
    ports = spec.port_level_mtls
    if ports is not None and not ports:
        yield Problem(spec.at("port_level_mtls"), "portLevelMtls is empty", "name a port, or leave it out")
    if ports and not (spec.selector and spec.selector.match_labels):
        what = "portLevelMtls needs a selector: ports are those of a workload"
        yield Problem(spec.at("port_level_mtls"), what)
    for port in ports or ():
        if not 1 <= port <= 65535:
            yield Problem(spec.at("port_level_mtls", port), f"{port} is not a port number: 1 to 65535")
    yield from selectors.problems(spec.selector)


def warnings(resource: PeerAuthentication) -> Iterator[Problem]:
    """What istiod would warn about."""
    yield from selectors.warnings(resource.spec.selector)
