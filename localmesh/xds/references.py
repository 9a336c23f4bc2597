"""What a protobuf refers to by name: found by walking it, `Any`s included.

Slow beside knowing it while building (about a microsecond a field), so it is used for listeners only, of which there
are few.
"""

from collections.abc import Callable, Iterator
from typing import Any

from google.protobuf import symbol_database
from google.protobuf.message import Message

from localmesh.xds import names
from localmesh.xds.snapshot import CLUSTER, EXTENSION, ROUTE, Key

# Clusters that the bootstrap brings.
_STATIC = {names.SDS_CLUSTER, names.XDS_CLUSTER}

_FINDERS: dict[str, Callable[[Any], Key | None]] = {
    "envoy.extensions.filters.network.http_connection_manager.v3.Rds": lambda one: (ROUTE, one.route_config_name),
    "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy": lambda one: _cluster(one.cluster),
    "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster.ClusterWeight": lambda one: _cluster(
        one.name
    ),
    "envoy.config.route.v3.RouteAction": lambda one: _cluster(one.cluster),
    "envoy.config.core.v3.GrpcService.EnvoyGrpc": lambda one: _cluster(one.cluster_name),
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter": lambda one: (
        (EXTENSION, one.name) if one.HasField("config_discovery") else None
    ),
}


def references(message: Message) -> set[Key]:
    """The type URLs and names of all resources that the message needs."""
    return set(_walk(message))


def _walk(message: Any) -> Iterator[Key]:
    name = message.DESCRIPTOR.full_name
    if name == "google.protobuf.Any":
        inner = symbol_database.Default().GetSymbol(message.TypeName())()
        message.Unpack(inner)
        yield from _walk(inner)
        return
    finder = _FINDERS.get(name)
    found = finder(message) if finder else None
    if found is not None:
        yield found
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        for one in value if field.is_repeated else (value,):
            yield from _walk(one)


def _cluster(name: str) -> Key | None:
    return (CLUSTER, name) if name and name not in _STATIC else None
