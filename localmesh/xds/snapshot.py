"""A snapshot: all that one Envoy is to be told, as a value. Versions are equal or not, never less or more.

Nothing here knows how a snapshot is made; `localmesh.ads` imports only this module.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from types import MappingProxyType
from typing import TYPE_CHECKING

from localmesh.errors import Where

if TYPE_CHECKING:
    from google.protobuf.message import Message

_PREFIX = "type.googleapis.com/"
LISTENER = _PREFIX + "envoy.config.listener.v3.Listener"
CLUSTER = _PREFIX + "envoy.config.cluster.v3.Cluster"
ROUTE = _PREFIX + "envoy.config.route.v3.RouteConfiguration"
ENDPOINT = _PREFIX + "envoy.config.endpoint.v3.ClusterLoadAssignment"
SECRET = _PREFIX + "envoy.extensions.transport_sockets.tls.v3.Secret"
EXTENSION = _PREFIX + "envoy.config.core.v3.TypedExtensionConfig"

# The order in which a change is sent so that nothing refers to what is not there yet: make before break.
# See Envoy's "Eventual consistency considerations" of the xDS protocol.
PUSH_ORDER = (CLUSTER, ENDPOINT, SECRET, LISTENER, ROUTE, EXTENSION)

Key = tuple[str, str]  # (type URL, name)


@dataclass(frozen=True, slots=True)
class Resource:
    """One named protobuf, serialised. `version` is a hash of its bytes, `needs` what it refers to by name."""

    name: str
    body: bytes = field(repr=False)
    version: str
    needs: frozenset[Key] = field(default=frozenset(), repr=False)
    # The YAML that shaped it.
    origins: tuple[Where, ...] = field(default=(), repr=False)


def resource(
    name: str, message: "Message", needs: Iterable[Key] = (), origins: Iterable[Where | None] = ()
) -> Resource:
    """Serialises a message so that equal messages give equal bytes."""
    body = message.SerializeToString(deterministic=True)
    places = tuple(dict.fromkeys(where for where in origins if where is not None))
    return Resource(name, body, blake2b(body, digest_size=8).hexdigest(), frozenset(needs), places)


@dataclass(frozen=True)
class Snapshot:
    """Resources by type URL, then by name; both mappings are read-only."""

    resources: Mapping[str, Mapping[str, Resource]]

    @classmethod
    def of(cls, resources: Mapping[str, Iterable[Resource]]) -> "Snapshot":
        """Sorts each type by name, which makes snapshots of equal content equal."""
        return cls(
            MappingProxyType(
                {
                    url: MappingProxyType({one.name: one for one in sorted(many, key=lambda one: one.name)})
                    for url, many in resources.items()
                }
            )
        )

    def type(self, url: str) -> Mapping[str, Resource]:
        """The resources of one type by name."""
        return self.resources.get(url, MappingProxyType({}))

    def origins(self, url: str, name: str) -> tuple[Where, ...]:
        """The YAML places that shaped a resource; empty if it is not there or comes from defaults only."""
        found = self.type(url).get(name)
        return found.origins if found else ()

    @cached_property
    def versions(self) -> Mapping[str, str]:
        """A version for each type: a hash of its resources' names and versions."""
        return {url: _digest(f"{one.name}={one.version}" for one in self.type(url).values()) for url in self.resources}

    @cached_property
    def version(self) -> str:
        """The version of the whole."""
        return _digest(f"{url}={version}" for url, version in sorted(self.versions.items()))

    def merged(self, other: "Snapshot") -> "Snapshot":
        """Both together; where both have a resource of one name, `other`'s."""
        urls = {**self.resources, **other.resources}
        return Snapshot.of({url: {**self.type(url), **other.type(url)}.values() for url in urls})

    def consistent(self, elsewhere: Iterable[Key] = ()) -> list[str]:
        """What is referred to and is not there, one sentence each; empty if nothing is.

        `elsewhere` names what another source serves, such as a bootstrap's static clusters.
        """
        known = {(url, name) for url, many in self.resources.items() for name in many} | set(elsewhere)
        return [
            f"{_short(url)} {one.name!r} refers to {_short(need[0])} {need[1]!r}, which does not exist"
            for url, many in self.resources.items()
            for one in many.values()
            for need in sorted(one.needs - known)
        ]


def _short(url: str) -> str:
    return url.rpartition(".")[2]


def _digest(lines: Iterable[str]) -> str:
    return blake2b("\n".join(lines).encode(), digest_size=8).hexdigest()
