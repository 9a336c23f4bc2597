"""What a protobuf refers to by name: found by walking it, `Any`s included.

Only fields whose type can lead to a reference are looked at, which leaves most of a listener out. Still slower than
knowing it while building, so it is used for listeners and their like only, of which there are few.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any

from google.protobuf import symbol_database
from google.protobuf.message import Message

from localmesh.xds import names
from localmesh.xds.snapshot import CLUSTER, EXTENSION, ROUTE, Key

# Clusters that the bootstrap brings.
_STATIC = {names.SDS_CLUSTER, names.XDS_CLUSTER}
_ANY = "google.protobuf.Any"

_FINDERS: dict[str, Callable[[Any], Key | None]] = {
    "envoy.extensions.filters.network.http_connection_manager.v3.Rds": lambda one: (ROUTE, one.route_config_name),
    "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy": lambda one: _cluster(one.cluster),
    "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster.ClusterWeight": lambda one: _cluster(
        one.name
    ),
    "envoy.config.route.v3.RouteAction": lambda one: _cluster(one.cluster),
    "envoy.config.route.v3.RouteAction.RequestMirrorPolicy": lambda one: _cluster(one.cluster),
    "envoy.config.route.v3.WeightedCluster.ClusterWeight": lambda one: _cluster(one.name),
    "envoy.config.core.v3.GrpcService.EnvoyGrpc": lambda one: _cluster(one.cluster_name),
    "envoy.config.core.v3.HttpUri": lambda one: _cluster(one.cluster),
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter": lambda one: (
        (EXTENSION, one.name) if one.HasField("config_discovery") else None
    ),
}

# A proxy serves without it: where the collector is not known (a Sidecar hides it), its spans go nowhere.
_NOT_NEEDED = {"envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager": "tracing"}
_WANTED = frozenset({*_FINDERS, _ANY})


def references(message: Message) -> set[Key]:
    """The type URLs and names of all resources that the message needs."""
    return set(_walk(message))


def _walk(message: Any) -> Iterator[Key]:
    descriptor = message.DESCRIPTOR
    if descriptor.full_name == _ANY:
        kind = symbol_database.Default().GetSymbol(message.TypeName())
        if not _types_below(kind.DESCRIPTOR).isdisjoint(_WANTED):
            yield from _walk(kind.FromString(message.value))
        return
    finder = _FINDERS.get(descriptor.full_name)
    found = finder(message) if finder else None
    if found is not None:
        yield found
    leading = _leading(descriptor)
    if leading:
        for field, value in message.ListFields():
            if field.name in leading:
                for one in _messages(field, value):
                    yield from _walk(one)


def _messages(field: Any, value: Any) -> Iterable[Any]:
    """The messages that a field holds: one, some, or the values of a map."""
    if field.message_type.GetOptions().map_entry:
        return tuple(value.values())
    return tuple(value) if field.is_repeated else (value,)


@cache
def _leading(descriptor: Any) -> frozenset[str]:
    """The fields of a message type below which a reference, or an `Any` that may hold one, can stand."""
    return frozenset(
        field.name
        for field in descriptor.fields
        if field.message_type is not None
        and field.name != _NOT_NEEDED.get(descriptor.full_name)
        and not _types_below(field.message_type).isdisjoint(_WANTED)
    )


@cache
def _types_below(descriptor: Any) -> frozenset[str]:
    """The names of this message type and of all that its fields can hold."""
    seen, open_ = {descriptor.full_name: descriptor}, [descriptor]
    while open_:
        for field in open_.pop().fields:
            kind = field.message_type
            if kind is not None and kind.full_name not in seen:
                seen[kind.full_name] = kind
                open_.append(kind)
    return frozenset(seen)


def _cluster(name: str) -> Key | None:
    return (CLUSTER, name) if name and name not in _STATIC else None
