"""Where the calls of a cluster can go: ClusterLoadAssignment, with localities, weights and priorities."""

from envoy.config.core.v3 import base_pb2, health_check_pb2
from envoy.config.endpoint.v3 import endpoint_components_pb2, endpoint_pb2
from google.protobuf import struct_pb2

from localmesh.mesh.pods import Pod
from localmesh.mesh.services import Endpoint
from localmesh.mesh.upstreams import TlsMode, Upstream
from localmesh.xds import names
from localmesh.xds.localities import Group, grouped
from localmesh.xds.telemetry import CANONICAL_NAME, CANONICAL_REVISION, CLUSTER_ID
from localmesh.xds.wire import pipe, socket_address, uint32

UNIX = "unix:"


def load_assignment(upstream: Upstream, client: Pod) -> endpoint_pb2.ClusterLoadAssignment:
    """The endpoints that are ready, as this client is to prefer them."""
    ready = [one for one in upstream.endpoints if one.ready]
    name = names.outbound_cluster(upstream.service.host, upstream.port.number, upstream.subset)
    return endpoint_pb2.ClusterLoadAssignment(
        cluster_name=name, endpoints=[_locality(group, upstream) for group in grouped(ready, upstream, client)]
    )


def of_app(cluster: str, app: str) -> endpoint_pb2.ClusterLoadAssignment:
    """The one endpoint of an app on this machine: `unix:/path`, or `address:port`."""
    if app.startswith(UNIX):
        address = pipe(app.removeprefix(UNIX).removeprefix("//"))
    else:
        host, _, number = app.rpartition(":")
        address = socket_address(host, int(number))
    endpoint = endpoint_components_pb2.LbEndpoint(endpoint=endpoint_components_pb2.Endpoint(address=address))
    here = endpoint_components_pb2.LocalityLbEndpoints(lb_endpoints=[endpoint])
    return endpoint_pb2.ClusterLoadAssignment(cluster_name=cluster, endpoints=[here])


def _locality(group: Group, upstream: Upstream) -> endpoint_components_pb2.LocalityLbEndpoints:
    place = group.locality
    return endpoint_components_pb2.LocalityLbEndpoints(
        locality=base_pb2.Locality(region=place.region, zone=place.zone, sub_zone=place.subzone),
        lb_endpoints=[_endpoint(one, upstream) for one in group.endpoints],
        load_balancing_weight=uint32(group.weight),
        priority=group.priority,
    )


def _endpoint(one: Endpoint, upstream: Upstream) -> endpoint_components_pb2.LbEndpoint:
    address = socket_address(one.address, one.port) if one.port else pipe(one.address)
    return endpoint_components_pb2.LbEndpoint(
        endpoint=endpoint_components_pb2.Endpoint(address=address),
        health_status=health_check_pb2.HEALTHY,
        load_balancing_weight=uint32(one.weight),
        metadata=_metadata(one, upstream),
    )


def _may_use_mtls(upstream: Upstream) -> bool:
    """Whether this client speaks the mesh's mTLS to the service at all."""
    return upstream.tls is None or upstream.tls.mode is TlsMode.ISTIO_MUTUAL


def _metadata(one: Endpoint, upstream: Upstream) -> base_pb2.Metadata:
    """`tlsMode: istio` picks the mTLS socket of the cluster; `workload` names the pod in telemetry."""
    found = {}
    if one.mtls and _may_use_mtls(upstream):
        tls = struct_pb2.Struct()
        tls["tlsMode"] = "istio"
        found["envoy.transport_socket_match"] = tls
    istio = struct_pb2.Struct()
    istio["workload"] = ";".join(
        (
            one.pod or one.workload,
            one.namespace or upstream.service.namespace,
            one.labels.get(CANONICAL_NAME, one.labels.get("app", one.workload)),
            one.labels.get(CANONICAL_REVISION, one.labels.get("version", "latest")),
            CLUSTER_ID,
        )
    )
    found["istio"] = istio
    return base_pb2.Metadata(filter_metadata=found)
