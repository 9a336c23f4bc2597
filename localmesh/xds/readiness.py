"""A pod became ready, or is no longer: what that changes in another pod's snapshot, without compiling it anew."""

from localmesh.mesh.pods import Pod
from localmesh.xds import names
from localmesh.xds.endpoints import load_assignment
from localmesh.xds.snapshot import ENDPOINT, Snapshot, resource


def with_endpoints(snapshot: Snapshot, pod: Pod) -> Snapshot:
    """The captured snapshot of `pod`, with the endpoints that its mesh has now: all that readiness decides."""
    told = snapshot.type(ENDPOINT)
    made = [
        resource(name, load_assignment(upstream, pod))
        for upstream in pod.outbound.upstreams
        if (name := names.outbound_cluster(upstream.service.host, upstream.port.number, upstream.subset)) in told
    ]
    return snapshot.merged(Snapshot.of({ENDPOINT: made}))
