"""ReferenceGrant: which kinds of which namespaces may refer to objects of this one."""

from dataclasses import dataclass

from localmesh.manifests.record import Record, Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceGrantFrom(Record):
    """Who refers."""

    group: str
    kind: str
    namespace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceGrantTo(Record):
    """What is referred to; without a name, all of the kind."""

    group: str
    kind: str
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceGrantSpec(Record):
    """Any of `from_` may refer to any of `to`."""

    from_: tuple[ReferenceGrantFrom, ...]
    to: tuple[ReferenceGrantTo, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceGrant(Resource):
    """A ReferenceGrant document."""

    spec: ReferenceGrantSpec
