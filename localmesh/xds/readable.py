"""A snapshot as people and `jq` read it: protobuf JSON with the field names of the .proto files."""

import json

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import extension_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2
from google.protobuf import json_format
from google.protobuf.message import Message

from localmesh.xds import compile as _compile  # noqa: F401 - loads every type that an `Any` of ours may hold
from localmesh.xds.snapshot import CLUSTER, ENDPOINT, EXTENSION, LISTENER, ROUTE, Snapshot

# Secrets are not here, and are never printed.
_KINDS: dict[str, tuple[str, type[Message]]] = {
    "listeners": (LISTENER, listener_pb2.Listener),
    "clusters": (CLUSTER, cluster_pb2.Cluster),
    "routes": (ROUTE, route_pb2.RouteConfiguration),
    "endpoints": (ENDPOINT, endpoint_pb2.ClusterLoadAssignment),
    "extensions": (EXTENSION, extension_pb2.TypedExtensionConfig),
}


def to_json(snapshot: Snapshot) -> dict[str, list[dict[str, object]]]:
    """`{"listeners": […], "clusters": […], "routes": […], "endpoints": […]}`, each sorted by name.

    A captured snapshot has `extensions` too: the policies that its listeners take from their slots.
    """
    return {
        kind: [_one(message_type, one.body) for one in snapshot.type(url).values()]
        for kind, (url, message_type) in _KINDS.items()
        if kind != "extensions" or snapshot.type(url)
    }


def _one(message_type: type[Message], body: bytes) -> dict[str, object]:
    message = message_type.FromString(body)
    # By way of text: MessageToDict leaves types of its own in the dictionaries.
    found: dict[str, object] = json.loads(json_format.MessageToJson(message, preserving_proto_field_name=True))
    return found
