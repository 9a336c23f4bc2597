"""The streams that carry sessions: a grpc.aio server on a Unix socket that every proxy's bootstrap names.

Envoy's aggregated stream (ADS) brings clusters, endpoints, listeners, routes and extensions; each secret has a stream
of its own (SDS), because Envoy's configuration names the cluster `sds-grpc` for it, as istio's agent does.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse

from localmesh.ads.session import Nack, Session
from localmesh.errors import MeshError
from localmesh.stopping import stopped
from localmesh.xds.snapshot import Snapshot

ADS = "envoy.service.discovery.v3.AggregatedDiscoveryService"
SDS = "envoy.service.secret.v3.SecretDiscoveryService"
# Bigger than any mesh a laptop carries; gRPC's own limit is 4 MiB.
MESSAGE_BYTES = 256 * 1024 * 1024


class Refused(MeshError):
    """At least one proxy refused its snapshot. The caller publishes the previous ones again."""

    def __init__(self, nacks: Collection[Nack]) -> None:
        self.nacks = tuple(nacks)
        super().__init__("\n".join(f"Envoy of {nack.node} refused it: {nack.message}" for nack in self.nacks))


@dataclass(eq=False, slots=True)
class _Stream:
    session: Session = field(default_factory=Session)
    outbox: asyncio.Queue[DiscoveryResponse | None] = field(default_factory=asyncio.Queue)

    def send(self, responses: list[DiscoveryResponse]) -> None:
        for response in responses:
            self.outbox.put_nowait(response)


@dataclass(eq=False, slots=True)
class _Proxy:
    """One node: its streams, and what was last published for it."""

    snapshot: Snapshot | None = None
    revision: int = 0
    streams: list[_Stream] = field(default_factory=list)
    silent: bool = False  # it was waited for in vain, and nothing has come from it since

    @property
    def settled(self) -> bool:
        return all(stream.session.settled for stream in self.streams)

    @property
    def nacks(self) -> list[Nack]:
        return [stream.session.nack for stream in self.streams if stream.session.nack]


class DiscoveryServer:
    """Serves ADS and SDS on one Unix socket (mode 0600). Used from one event loop."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._server = grpc.aio.server(
            options=[("grpc.max_send_message_length", MESSAGE_BYTES), ("grpc.max_receive_message_length", -1)]
        )
        self._server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler(ADS, {"StreamAggregatedResources": self._handler()}),
                grpc.method_handlers_generic_handler(SDS, {"StreamSecrets": self._handler()}),
            )
        )
        self._proxies: dict[str, _Proxy] = {}
        self._revision = 0
        self._changed = asyncio.Event()

    async def start(self) -> None:
        """Listen. Raises MeshError if the socket cannot be made."""
        self._socket.unlink(missing_ok=True)
        try:
            self._server.add_insecure_port(f"unix:{self._socket}")
        except RuntimeError as error:
            raise MeshError(f"cannot listen on {self._socket}: {error}", "a shorter --state folder") from error
        self._socket.chmod(0o600)
        await self._server.start()

    async def stop(self) -> None:
        """End all streams."""
        await stopped(self._server)
        self._socket.unlink(missing_ok=True)

    @property
    def connected(self) -> frozenset[str]:
        """The nodes that have a stream."""
        return frozenset(node for node, proxy in self._proxies.items() if proxy.streams)

    @property
    def settled(self) -> frozenset[str]:
        """The nodes that are connected and have acknowledged all that they subscribe to."""
        return frozenset(node for node, proxy in self._proxies.items() if proxy.streams and proxy.settled)

    def publish(self, snapshots: Mapping[str, Snapshot]) -> "Publication":
        """Give these nodes these snapshots, at once or when they connect; other nodes keep theirs.

        All or nothing: raises MeshError, and sends nothing, if one of them refers to what it does not hold.
        """
        new = {node: one for node, one in snapshots.items() if not self._is_told(node, one)}
        for node, snapshot in new.items():
            dangling = snapshot.consistent()
            if dangling:
                raise MeshError(f"the configuration of {node} is not whole: {'; '.join(dangling)}")
        self._revision += 1
        for node in snapshots:
            self._proxies.setdefault(node, _Proxy()).revision = self._revision
        for node, snapshot in new.items():
            proxy = self._proxies[node]
            proxy.snapshot = snapshot
            for stream in proxy.streams:
                stream.send(stream.session.offer(snapshot))
        self._tell()
        return Publication(self, self._revision, frozenset(snapshots))

    def _is_told(self, node: str, snapshot: Snapshot) -> bool:
        """Whether this very snapshot was the last one published for a node, and has not been refused."""
        proxy = self._proxies.get(node)
        return proxy is not None and proxy.snapshot is snapshot and not proxy.nacks

    def forget(self, nodes: Collection[str]) -> None:
        """These nodes are gone: what was published for them is dropped."""
        for node in nodes:
            proxy = self._proxies.get(node)
            if proxy and not proxy.streams:
                del self._proxies[node]
            elif proxy:
                proxy.snapshot = None

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _handler(self) -> "grpc.RpcMethodHandler[Any, Any]":
        return grpc.stream_stream_rpc_method_handler(
            self._serve,
            request_deserializer=DiscoveryRequest.FromString,
            response_serializer=DiscoveryResponse.SerializeToString,
        )

    async def _serve(
        self, requests: AsyncIterator[DiscoveryRequest], _context: object
    ) -> AsyncIterator[DiscoveryResponse]:
        stream = _Stream()
        reader = asyncio.create_task(self._read(stream, requests))
        try:
            while (response := await stream.outbox.get()) is not None:
                yield response
            await reader
        finally:
            reader.cancel()
            self._remove(stream)

    async def _read(self, stream: _Stream, requests: AsyncIterator[DiscoveryRequest]) -> None:
        try:
            async for request in requests:
                self._receive(stream, request)
        finally:
            stream.outbox.put_nowait(None)

    def _receive(self, stream: _Stream, request: DiscoveryRequest) -> None:
        known = bool(stream.session.node)
        stream.send(stream.session.receive(request))
        if not known and stream.session.node:
            proxy = self._proxies.setdefault(stream.session.node, _Proxy())
            proxy.streams.append(stream)
            if proxy.snapshot is not None:
                stream.send(stream.session.offer(proxy.snapshot))
        if stream.session.node:
            self._proxies[stream.session.node].silent = False
        self._tell()

    def _remove(self, stream: _Stream) -> None:
        proxy = self._proxies.get(stream.session.node)
        if proxy and stream in proxy.streams:
            proxy.streams.remove(stream)
            if proxy.snapshot is None and not proxy.streams:
                del self._proxies[stream.session.node]
            self._tell()


@dataclass(frozen=True, slots=True)
class Publication:
    """One `publish`: what to wait for. A proxy that was given something newer since then is not waited for."""

    _server: DiscoveryServer
    _revision: int
    nodes: frozenset[str]

    async def acked(self, *, within: float, connect: Collection[str] = (), answering: bool = False) -> None:
        """Return when every connected proxy of this publication has acknowledged all that it subscribes to.

        Nodes named in `connect` are waited for even if they have not connected yet. With `answering`, those are not
        waited for that were waited for in vain the last time: a proxy that hangs must not hold up what concerns others.
        Raises Refused as soon as one of them refuses, and MeshError after `within` seconds, naming the silent ones.
        """
        try:
            async with asyncio.timeout(within):
                while self._waiting(connect, answering):
                    await self._server._changed.wait()
        except TimeoutError:
            waiting = self._waiting(connect, answering)
            for proxy in waiting.values():
                proxy.silent = True
            raise MeshError(
                f"no answer within {within:g} s from Envoy of: {', '.join(waiting)}",
                "localmesh logs POD --container envoy; localmesh kill POD --container envoy starts it again",
            ) from None

    def _waiting(self, connect: Collection[str], answering: bool) -> dict[str, _Proxy]:
        current = {
            node: proxy
            for node in sorted(self.nodes)
            if (proxy := self._server._proxies.get(node)) and proxy.revision == self._revision
        }
        nacks = [nack for proxy in current.values() for nack in proxy.nacks]
        if nacks:
            raise Refused(nacks)
        return {
            node: proxy
            for node, proxy in current.items()
            if ((not proxy.streams and node in connect) or not proxy.settled) and not (answering and proxy.silent)
        }
