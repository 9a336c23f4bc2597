"""What of the mesh a pod reaches here: the names that its app dials, and what stands behind them.

A captured snapshot is made of this part alone. So its cost does not grow with the mesh, and an edit elsewhere in the
mesh leaves its input, and with it the snapshot, as it was.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from localmesh.mesh.placement import Placement
from localmesh.mesh.pods import ConnectionListener, Outbound, Pod, Proxy
from localmesh.mesh.routes import Forward, RouteTable, Target, VirtualHost
from localmesh.mesh.security import Authorizer
from localmesh.xds import dials

# An outbound cluster's name, wherever it stands in a patch.
_CLUSTER = re.compile(r'outbound\|(\d+)\|([^|"]*)\|([^|"\\]+)')


def reachable(pod: Pod, placement: Placement, authorizers: Iterable[Authorizer] = ()) -> Pod:
    """The pod without what its app never dials. A gateway is dialed by anybody for anything: it keeps all."""
    if pod.proxy is not Proxy.SIDECAR:
        return pod
    known = pod.outbound
    names = list({(dial.host, dial.port): dial for dial in placement.dials}.values())
    hosts = tuple(host for dial in names if (host := dials.virtual_host(known, dial)) is not None)
    connections = tuple(one for dial in names if (one := dials.connection(known, dial)) is not None)
    targets = dict.fromkeys(
        (*_requested(hosts), *_connected(connections), *collectors(pod), *_asked(authorizers), *_patched(pod))
    )
    upstreams = tuple(known.by_target[target] for target in targets if target in known.by_target)
    return replace(pod, outbound=Outbound(upstreams, (RouteTable("", hosts),), connections, known.allow_any))


def _requested(hosts: Iterable[VirtualHost]) -> Iterator[Target]:
    for action in (route.action for host in hosts for route in host.routes):
        if isinstance(action, Forward):
            yield from (one.target for one in action.targets)
            yield from (one.target for one in action.mirrors)


def _connected(connections: Iterable[ConnectionListener]) -> Iterator[Target]:
    return (one.target for each in connections for route in each.routes for one in route.targets)


def collectors(pod: Pod) -> Iterator[Target]:
    """Where its proxy sends spans."""
    for how in (pod.server_telemetry.tracing, pod.client_telemetry.tracing):
        if how is not None and how.provider is not None:
            yield Target(how.provider.host, how.provider.port)


def _asked(authorizers: Iterable[Authorizer]) -> Iterator[Target]:
    """Who its proxy may have to ask, now or after the next edit of a policy."""
    return (Target(one.host, one.port) for one in authorizers)


def _patched(pod: Pod) -> Iterator[Target]:
    """The clusters that patches name."""
    for patch in pod.patches:
        for port, subset, host in _CLUSTER.findall(patch.value):
            yield Target(host, int(port), subset)
