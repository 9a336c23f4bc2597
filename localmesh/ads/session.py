"""One proxy's xDS stream as protocol state, without I/O: requests and snapshots go in, responses come out.

The protocol is xDS' State of the World (https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol), one session
for each stream: the aggregated one (ADS), or one of a single type (SDS). Kept here:

- A type is answered when its content differs for this subscriber, and never twice with the same content.
- Listeners and clusters come whole; of other types only the resources that changed, or that were newly asked for.
- Clusters come before what refers to them: Envoy holds the ACK of clusters back until they are warm, and until then no
  listener, route or extension is sent. So no request meets a route whose cluster is not there yet.
- After clusters were sent, Envoy asks for their endpoints again and waits for the answer, though they did not change.
- After a NACK nothing more of that snapshot is sent: the next one (the rollback) is compared with nothing, and so sent.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse
from google.protobuf.any_pb2 import Any

from localmesh.xds.snapshot import CLUSTER, ENDPOINT, EXTENSION, LISTENER, PUSH_ORDER, ROUTE, Snapshot

WHOLE = frozenset({CLUSTER, LISTENER})
# These wait until what they refer to has been acknowledged.
AFTER_CLUSTERS = frozenset({LISTENER, ROUTE, EXTENSION})


@dataclass(frozen=True, slots=True)
class Nack:
    """A proxy refused a response. `names` are the resources that Envoy's message speaks of, or all that had changed."""

    node: str
    type_url: str
    names: tuple[str, ...]
    message: str


@dataclass(slots=True)
class _Subscription:
    """What a stream asked of one type, and what it was told."""

    names: frozenset[str] = frozenset()
    sent: dict[str, str] | None = None  # name -> version; None: nothing yet, or nothing that counts
    changed: tuple[str, ...] = ()  # by the last response
    nonce: str = ""
    awaiting: bool = False  # the answer to the last response
    again: bool = False  # the next request is answered even if nothing changed


@dataclass(slots=True)
class Session:
    """One stream. `receive` and `offer` return the responses to send now, in order."""

    node: str = ""
    nack: Nack | None = None  # of the snapshot last offered
    _snapshot: Snapshot | None = None
    _subscriptions: dict[str, _Subscription] = field(default_factory=dict)
    _nonces: int = 0

    @property
    def settled(self) -> bool:
        """Whether all that this stream subscribes to was sent and acknowledged.

        What is due is sent at once, or held back while something else is awaited: so nothing else has to be looked at.
        """
        if self._snapshot is None or self.nack:
            return False
        return not any(subscription.awaiting for subscription in self._subscriptions.values())

    def offer(self, snapshot: Snapshot) -> list[DiscoveryResponse]:
        """A new snapshot for this proxy."""
        self._snapshot, self.nack = snapshot, None
        return list(self._respond())

    def receive(self, request: DiscoveryRequest) -> list[DiscoveryResponse]:
        """A request of the proxy: a subscription, an ACK or a NACK."""
        self.node = self.node or request.node.id
        subscription = self._subscriptions.setdefault(request.type_url, _Subscription())
        if request.response_nonce != subscription.nonce and request.response_nonce:
            return []  # about an earlier response: the answer to the last one is on its way, with all names
        subscription.awaiting = False
        if request.HasField("error_detail"):
            self.nack = _refused(self.node, request, subscription)
            subscription.sent = None
        elif not request.response_nonce or subscription.again:
            subscription.sent, subscription.again = None, False
        self._subscribe(subscription, request)
        return list(self._respond())

    def _subscribe(self, subscription: _Subscription, request: DiscoveryRequest) -> None:
        subscription.names = frozenset(request.resource_names)
        if subscription.sent is not None and request.type_url not in WHOLE:
            # What was given up is sent again if it is asked for again.
            subscription.sent = {n: v for n, v in subscription.sent.items() if n in subscription.names}

    def _respond(self) -> Iterator[DiscoveryResponse]:
        if self._snapshot is None or self.nack:
            return
        for type_url in PUSH_ORDER:
            if type_url in AFTER_CLUSTERS and self._awaiting(CLUSTER, ENDPOINT):
                continue
            due = self._due(type_url, self._snapshot)
            if due is not None:
                yield self._response(type_url, due, self._snapshot)

    def _awaiting(self, *types: str) -> bool:
        return any(t in self._subscriptions and self._subscriptions[t].awaiting for t in types)

    def _wanted(self, type_url: str, snapshot: Snapshot) -> Mapping[str, str]:
        """Name -> version of all that this stream subscribes to and that exists."""
        all_of_type = snapshot.type(type_url)
        names = all_of_type if type_url in WHOLE else self._subscriptions[type_url].names
        return {name: all_of_type[name].version for name in names if name in all_of_type}

    def _due(self, type_url: str, snapshot: Snapshot) -> tuple[str, ...] | None:
        """The names to send now; None: nothing. An empty tuple is a response too: there are no clusters at all."""
        subscription = self._subscriptions.get(type_url)
        if subscription is None:
            return None
        wanted, sent = self._wanted(type_url, snapshot), subscription.sent
        if type_url in WHOLE:
            return tuple(sorted(wanted)) if wanted != sent else None
        return tuple(sorted(name for name, version in wanted.items() if (sent or {}).get(name) != version)) or None

    def _response(self, type_url: str, due: tuple[str, ...], snapshot: Snapshot) -> DiscoveryResponse:
        subscription = self._subscriptions[type_url]
        wanted, before = dict(self._wanted(type_url, snapshot)), subscription.sent or {}
        self._nonces += 1
        subscription.changed = tuple(name for name in due if before.get(name) != wanted[name])
        subscription.sent, subscription.nonce, subscription.awaiting = wanted, str(self._nonces), True
        if type_url == CLUSTER and ENDPOINT in self._subscriptions:
            self._subscriptions[ENDPOINT].again = True
        resources = snapshot.type(type_url)
        return DiscoveryResponse(
            version_info=_version(wanted),
            resources=[Any(type_url=type_url, value=resources[name].body) for name in due],
            type_url=type_url,
            nonce=subscription.nonce,
        )


def _refused(node: str, request: DiscoveryRequest, subscription: _Subscription) -> Nack:
    message = request.error_detail.message
    named = tuple(name for name in subscription.changed if _speaks_of(message, name))
    return Nack(node, request.type_url, named or subscription.changed, message)


def _speaks_of(message: str, name: str) -> bool:
    """The name as a whole: the message on `8080` says nothing of `80`."""
    return re.search(rf"(?<![\w|.:-]){re.escape(name)}(?![\w|-]|[.:]\w)", message) is not None


def _version(versions: Mapping[str, str]) -> str:
    """The same content has the same version, on every stream."""
    digest = blake2b(digest_size=8)
    for name, version in sorted(versions.items()):
        digest.update(f"{name}\0{version}\0".encode())
    return digest.hexdigest()
