"""What patches hold: JSON as messages of Envoy's API, and how one message is merged into another."""

import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.listener.v3 import listener_components_pb2
from envoy.config.route.v3 import route_components_pb2, route_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
from google.protobuf import any_pb2, duration_pb2, json_format, symbol_database
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from localmesh.errors import Problem, Where
from localmesh.mesh.patches import Change, Direction, Part, Patch
from localmesh.xds.wire import pack

_MESSAGES: dict[Part, type[Message]] = {
    Part.NETWORK_FILTER: listener_components_pb2.Filter,
    Part.HTTP_FILTER: http_connection_manager_pb2.HttpFilter,
    Part.ROUTE_TABLE: route_pb2.RouteConfiguration,
    Part.VIRTUAL_HOST: route_components_pb2.VirtualHost,
    Part.ROUTE: route_components_pb2.Route,
    Part.CLUSTER: cluster_pb2.Cluster,
}


def of(patches: Iterable[Patch], part: Part, direction: Direction) -> list[Patch]:
    """The patches of one part of the configuration, in order."""
    return [one for one in patches if one.part is part and one.direction in {Direction.ANY, direction}]


def problems(patches: Iterable[Patch]) -> Iterator[Problem]:
    """What is wrong with the values: no message of Envoy's API, or one that only Istio's build of Envoy knows."""
    for patch in patches:
        try:
            value(patch)
        except (json_format.ParseError, ValueError) as error:
            yield Problem(patch.where or Where(""), f"not what Envoy takes: {error}")


def value(patch: Patch) -> Any:
    """A message of its own for each call. Raises ParseError or ValueError."""
    made = _MESSAGES[patch.part]()
    made.CopyFrom(_parsed(patch))
    return made


@lru_cache(maxsize=1000)
def _parsed(patch: Patch) -> Message:
    made = _MESSAGES[patch.part]()
    written = json.loads(patch.value or "{}")
    for name in _types(written):
        _load(name)
    json_format.ParseDict(written, made)
    return made


def merge(into: Any, other: Any) -> None:
    """Lists grow, maps are overlaid, messages are merged; a duration is replaced, and a default says nothing.

    As istiod's pkg/proto/merge.
    """
    for field, given in other.ListFields():
        if _is_map(field):
            mapped = getattr(into, field.name)
            for key in given:
                if field.message_type.fields_by_name["value"].message_type is None:
                    mapped[key] = given[key]
                else:
                    mapped[key].CopyFrom(given[key])
        elif field.is_repeated:
            getattr(into, field.name).extend(given)
        elif field.message_type is None:
            setattr(into, field.name, given)
        elif isinstance(given, duration_pb2.Duration):
            getattr(into, field.name).CopyFrom(given)
        else:
            inner = getattr(into, field.name)
            inner.SetInParent()
            merge(inner, given)


def merge_any(into: any_pb2.Any, other: any_pb2.Any) -> None:
    """Merges what two `Any`s hold. The first says of which type they are (istiod's own rule)."""
    kind = symbol_database.Default().GetSymbol(into.TypeName())
    mine, theirs = kind(), kind()
    into.Unpack(mine)
    theirs.ParseFromString(other.value)
    merge(mine, theirs)
    into.CopyFrom(pack(mine))


def merge_filter(into: Any, other: Any) -> None:
    """Merges a filter's configuration, and gives it the other's name if that has one."""
    if not into.HasField("typed_config"):
        return
    if other.HasField("typed_config"):
        merge_any(into.typed_config, other.typed_config)
    into.name = other.name or into.name


def is_merge(patch: Patch) -> bool:
    """Whether what is there is changed, and not what there is."""
    return patch.change is Change.MERGE


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _types(written: Any) -> Iterator[str]:
    """The names of all messages in `Any`s."""
    if isinstance(written, dict):
        if isinstance(written.get("@type"), str):
            yield written["@type"].rpartition("/")[2]
        for each in written.values():
            yield from _types(each)
    elif isinstance(written, list):
        for each in written:
            yield from _types(each)


def _load(name: str) -> None:
    """Makes a message known, by importing the modules of its package. Raises ValueError."""
    package = name.rpartition(".")[0]
    if package.startswith("istio.") or ".wasm." in package:
        raise ValueError(f"{name} is of Istio's own build of Envoy: it runs in the cluster, not locally")
    try:
        places = import_module(package).__path__ if package.startswith(("envoy.", "xds.", "udpa.")) else []
        for module in iter_modules(places):
            if module.name.endswith("_pb2"):
                import_module(f"{package}.{module.name}")
        symbol_database.Default().GetSymbol(name)
    except (ImportError, KeyError):
        raise ValueError(f"there is no message {name}") from None
