"""What every decoded message is: a frozen record that knows its place, and the field types that YAML scalars become.

The records mirror the Kubernetes and Istio APIs: one class per message, fields in snake_case. An optional field that
was not written is None, so absence is never mistaken for zero; an absent list is `()` and an absent map is empty (an
API that tells absent from empty says `| None`). A proto3 bool without a wrapper is False when absent, as in the API.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, get_args, get_type_hints

from localmesh.errors import Where

NOWHERE = Where("")
Place = tuple[int, int]
"""Line and column, both from 1."""


@dataclass(frozen=True, slots=True)
class Range:
    """The inclusive bounds of an integer field, and what such a number is called in a message."""

    least: int
    most: int
    noun: str = "number"


@dataclass(frozen=True, slots=True)
class DurationForm:
    """What a duration must be beyond its notation, in seconds."""

    least: float | None = None
    multiple_of: float | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """How a value is written where its Python type does not say it."""

    name: str


STRUCT = Form("struct")
QUANTITY = Form("quantity")

Duration = Annotated[float, DurationForm()]
"""Seconds, written as Go writes them: `1.5s`, `250ms`, `1h30m`."""
Interval = Annotated[float, DurationForm(least=0.001)]
"""Seconds, 1 ms at least (the CRD schema's rule)."""
Timeout = Annotated[float, DurationForm(least=0.001, multiple_of=0.001)]
"""Seconds, 1 ms at least and whole milliseconds (istiod's ValidateDuration)."""
Struct = Annotated[Mapping[str, Any], STRUCT]
"""Any JSON object, kept as written."""
Quantity = Annotated[str, QUANTITY]
"""A Kubernetes quantity such as `500m`, `2` or `1Gi`, as text."""

IdleTimeout = Annotated[float, DurationForm(least=0.0, multiple_of=0.001)]
"""Seconds, whole milliseconds; 0 switches it off."""

Int32 = Annotated[int, Range(-(2**31), 2**31 - 1)]
UInt32 = Annotated[int, Range(0, 2**32 - 1)]
UInt64 = Annotated[int, Range(0, 2**64 - 1)]
Port = Annotated[int, Range(1, 65535, "port number")]
Share = Annotated[int, Range(0, 100, "percentage")]


def json_named(name: str, default: Any = None) -> Any:
    """An optional field whose spelling in the API does not follow from its Python name."""
    return field(default=default, metadata={"json": name})


def also_named(name: str) -> Any:
    """An optional field for which the API takes a second, older spelling."""
    return field(default=None, metadata={"also": name})


def empty_map() -> Any:
    """The default of a map field that was not written."""
    return field(default_factory=lambda: MappingProxyType({}))


@cache
def spelled(cls: type) -> Mapping[str, str]:
    """Python field name -> the name in the API (protobuf's JSON name unless the field says otherwise)."""
    names = {}
    for each in fields(cls):
        head, *rest = each.name.rstrip("_").split("_")
        names[each.name] = each.metadata.get("json") or head + "".join(part[:1].upper() + part[1:] for part in rest)
    return names


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One message of a document. `where` is where it begins; `at` is where one of its fields was written."""

    NO_LOCAL_MEANING: ClassVar[frozenset[str]] = frozenset()
    """Names (as in YAML) of fields that the API has, that are accepted, and that mean nothing outside a cluster."""

    AT_MOST_ONE: ClassVar[tuple[tuple[str, ...], ...]] = ()
    """Groups of fields (Python's spelling) of which one at most may be set: protobuf's oneofs."""

    EXACTLY_ONE: ClassVar[tuple[str, ...]] = ()
    """A group of fields of which one must be set, and no more."""

    where: Where = field(default=NOWHERE, compare=False, repr=False)
    places: Mapping[str, Place] = field(default_factory=dict, compare=False, repr=False)
    """Where each field's value was written, by its path from here in the spelling of the API: `hosts`, `hosts[1]`."""

    def at(self, name: str, key: int | str | None = None) -> Where:
        """Where field `name` (Python's spelling) was written, or its item `key`; else the record's own place."""
        cls: type = type(self)
        path = spelled(cls)[name]
        if key is not None:
            path = f"{path}[{key}]"
        line, column = self.places.get(path, (self.where.line, self.where.column))
        return Where(self.where.file, line, column, f"{self.where.path}.{path}" if self.where.path else path)


@cache
def inner_records(cls: type) -> Mapping[str, type[Record]]:
    """Python field name -> the record that the field holds: itself, or in a list or map."""
    hints = get_type_hints(cls)
    found = {each.name: _record_in(hints[each.name]) for each in fields(cls)}
    return {name: inner for name, inner in found.items() if inner is not None}


def _record_in(hint: Any) -> type[Record] | None:
    if isinstance(hint, type) and issubclass(hint, Record):
        return hint
    return next((inner for each in get_args(hint) if (inner := _record_in(each))), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerReference(Record):
    """Which object owns this one, such as the ReplicaSet of a Pod."""

    NO_LOCAL_MEANING: ClassVar[frozenset[str]] = frozenset({"uid", "blockOwnerDeletion"})

    kind: str
    name: str
    api_version: str | None = None
    controller: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata(Record):
    """metav1.ObjectMeta. What only a cluster fills in is accepted and dropped."""

    NO_LOCAL_MEANING: ClassVar[frozenset[str]] = frozenset(
        {
            "uid",
            "resourceVersion",
            "generation",
            "managedFields",
            "selfLink",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "finalizers",
            "generateName",
        }
    )

    name: str | None = None
    namespace: str | None = None
    labels: Mapping[str, str] = empty_map()
    annotations: Mapping[str, str] = empty_map()
    creation_timestamp: str | None = None
    owner_references: tuple[OwnerReference, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource(Record):
    """A whole document with a name. Its kind is its class; the subclass adds `spec` or what the kind has instead."""

    NO_LOCAL_MEANING: ClassVar[frozenset[str]] = frozenset({"status"})

    api_version: str = ""
    kind: str = ""
    metadata: Metadata = field(default_factory=Metadata)

    @property
    def name(self) -> str:
        """`metadata.name`; a document without one is refused by `load`."""
        return self.metadata.name or ""

    @property
    def namespace(self) -> str:
        """`metadata.namespace`, or `default` as kubectl would say (also for the kinds that have no namespace)."""
        return self.metadata.namespace or "default"
