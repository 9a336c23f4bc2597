"""What the tests of ads share: snapshots of small resources, and requests as Envoy writes them."""

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.base_pb2 import Node
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse
from google.protobuf.duration_pb2 import Duration
from google.rpc.status_pb2 import Status

from localmesh.xds.snapshot import CLUSTER, ENDPOINT, LISTENER, ROUTE, Snapshot, resource


def snapshot(
    *, clusters: str = "", endpoints: str = "", listeners: str = "", routes: str = "", timeout: int = 1
) -> Snapshot:
    """Resources by names such as "a b"; a name with a mark, "a!", has other content than "a"."""
    return Snapshot.of(
        {
            CLUSTER: [
                resource(
                    n.rstrip("!"), Cluster(name=n.rstrip("!"), connect_timeout=Duration(seconds=timeout + ("!" in n)))
                )
                for n in clusters.split()
            ],
            ENDPOINT: [
                resource(
                    n.rstrip("!"),
                    ClusterLoadAssignment(cluster_name=n.rstrip("!"), endpoints=[{}] if "!" in n else []),
                )
                for n in endpoints.split()
            ],
            LISTENER: [resource(n.rstrip("!"), Listener(name=n.rstrip("!"), stat_prefix=n)) for n in listeners.split()],
            ROUTE: [
                resource(
                    n.rstrip("!"),
                    RouteConfiguration(name=n.rstrip("!"), request_headers_to_remove=["x"] if "!" in n else []),
                )
                for n in routes.split()
            ],
        }
    )


def ask(url: str, names: str = "", node: str = "pod") -> DiscoveryRequest:
    """The first request of a type."""
    return DiscoveryRequest(type_url=url, resource_names=names.split(), node=Node(id=node))


def ack(response: DiscoveryResponse, names: str = "") -> DiscoveryRequest:
    """The acknowledgement, which repeats the names that are subscribed to."""
    return DiscoveryRequest(
        type_url=response.type_url,
        resource_names=names.split(),
        response_nonce=response.nonce,
        version_info=response.version_info,
    )


def nack(response: DiscoveryResponse, message: str, names: str = "") -> DiscoveryRequest:
    """The refusal, which names the version before it."""
    return DiscoveryRequest(
        type_url=response.type_url,
        resource_names=names.split(),
        response_nonce=response.nonce,
        error_detail=Status(code=13, message=message),
    )


def names(response: DiscoveryResponse) -> list[str]:
    """The names of the resources of a response."""
    kinds = {CLUSTER: Cluster, LISTENER: Listener, ROUTE: RouteConfiguration, ENDPOINT: ClusterLoadAssignment}
    kind = kinds[response.type_url]
    found = [kind.FromString(packed.value) for packed in response.resources]
    return [one.cluster_name if response.type_url == ENDPOINT else one.name for one in found]
