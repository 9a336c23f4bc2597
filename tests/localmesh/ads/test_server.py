"""The streams: real gRPC on a Unix socket."""

import asyncio
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from envoy.service.discovery.v3.ads_pb2_grpc import AggregatedDiscoveryServiceStub
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse

from localmesh.ads import DiscoveryServer, Refused
from localmesh.errors import MeshError
from localmesh.xds.snapshot import CLUSTER, ROUTE, Resource, Snapshot
from tests.kit import Limit, eventually
from tests.localmesh.ads.proxies import ack, ask, nack, names, snapshot

# How long a test waits for what must not come.
SILENCE_SECONDS = 0.1


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[DiscoveryServer]:
    server = DiscoveryServer(tmp_path / "xds.sock")
    await server.start()
    yield server
    await server.stop()


class Stream:
    """An aggregated stream as Envoy opens it."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.call: Any = AggregatedDiscoveryServiceStub(channel).StreamAggregatedResources()

    async def send(self, request: DiscoveryRequest) -> None:
        await self.call.write(request)

    async def next(self) -> DiscoveryResponse:
        return await asyncio.wait_for(self.call.read(), Limit.SOON.value)


@asynccontextmanager
async def proxy(tmp_path: Path) -> AsyncIterator[Stream]:
    async with grpc.aio.insecure_channel(f"unix:{tmp_path}/xds.sock") as channel:
        yield Stream(channel)


async def test_the_socket_is_its_owners_alone(server: DiscoveryServer, tmp_path: Path) -> None:
    assert stat.S_IMODE((tmp_path / "xds.sock").stat().st_mode) == 0o600


async def test_what_was_published_before_is_sent_when_the_proxy_connects(
    server: DiscoveryServer, tmp_path: Path
) -> None:
    publication = server.publish({"pod": snapshot(clusters="a")})
    async with proxy(tmp_path) as stream:
        await stream.send(ask(CLUSTER))
        response = await stream.next()
        assert names(response) == ["a"]
        assert server.connected == {"pod"}
        await stream.send(ack(response))
        await publication.acked(within=Limit.SOON.value, connect={"pod"})


async def test_a_publication_waits_for_every_connected_proxy_and_names_the_silent(
    server: DiscoveryServer, tmp_path: Path
) -> None:
    async with proxy(tmp_path) as quick, proxy(tmp_path) as silent:
        for stream, node in ((quick, "quick"), (silent, "silent")):
            await stream.send(ask(CLUSTER, node=node))
        await eventually(lambda: server.connected == {"quick", "silent"}, what="both connect")
        publication = server.publish({"quick": snapshot(clusters="a"), "silent": snapshot(clusters="a")})
        await quick.send(ack(await quick.next()))
        await eventually(lambda: server.settled == {"quick"}, what="the quick one has answered")
        with pytest.raises(MeshError, match="silent") as failure:
            await publication.acked(within=SILENCE_SECONDS)
        assert "quick" not in str(failure.value)
        await silent.send(ack(await silent.next()))
        await publication.acked(within=Limit.SOON.value)


async def test_who_was_waited_for_in_vain_holds_nobody_up_until_it_answers(
    server: DiscoveryServer, tmp_path: Path
) -> None:
    """But whoever wants an answer of all still waits for it."""
    async with proxy(tmp_path) as silent:
        await silent.send(ask(CLUSTER))
        await eventually(lambda: server.connected == {"pod"}, what="the proxy connects")
        for clusters in ("a", "b"):
            with pytest.raises(MeshError, match="pod"):
                await server.publish({"pod": snapshot(clusters=clusters)}).acked(within=SILENCE_SECONDS)
        await server.publish({"pod": snapshot(clusters="c")}).acked(within=Limit.RECOVERED.value, answering=True)
        for _ in range(3):
            response = await silent.next()
        await silent.send(ack(response))
        await eventually(lambda: server.settled == {"pod"}, what="it answers")
        publication = server.publish({"pod": snapshot(clusters="d")})
        with pytest.raises(MeshError, match="pod"):
            await publication.acked(within=SILENCE_SECONDS, answering=True)


async def test_a_refusal_is_raised_with_node_and_message_and_the_rollback_arrives(
    server: DiscoveryServer, tmp_path: Path
) -> None:
    async with proxy(tmp_path) as stream:
        server.publish({"pod": snapshot(clusters="a")})
        await stream.send(ask(CLUSTER))
        await stream.send(ack(await stream.next()))
        publication = server.publish({"pod": snapshot(clusters="a!")})
        await stream.send(nack(await stream.next(), "cluster a: bad timeout"))
        with pytest.raises(Refused) as refusal:
            await publication.acked(within=Limit.SOON.value)
        assert [(n.node, n.type_url, n.names) for n in refusal.value.nacks] == [("pod", CLUSTER, ("a",))]
        rollback = server.publish({"pod": snapshot(clusters="a")})
        await stream.send(ack(await stream.next()))
        await rollback.acked(within=Limit.SOON.value)


async def test_the_very_same_snapshot_is_sent_again_only_to_a_proxy_that_has_refused_it(
    server: DiscoveryServer, tmp_path: Path
) -> None:
    told, other = snapshot(clusters="a"), snapshot(clusters="b")
    server.publish({"pod": told})
    async with proxy(tmp_path) as stream:
        await stream.send(ask(CLUSTER))
        await stream.send(ack(await stream.next()))
        await server.publish({"pod": told}).acked(within=Limit.SOON.value)
        publication = server.publish({"pod": other})
        response = await stream.next()
        assert names(response) == ["b"]  # nothing was sent before it
        await stream.send(nack(response, "no"))
        with pytest.raises(Refused):
            await publication.acked(within=Limit.SOON.value)
        again = server.publish({"pod": other})
        response = await stream.next()
        assert names(response) == ["b"]
        await stream.send(ack(response))
        await again.acked(within=Limit.SOON.value)


async def test_whoever_publishes_the_very_same_again_waits_for_the_answer_that_is_still_out(
    server: DiscoveryServer, tmp_path: Path
) -> None:
    """Nothing is sent for it; but what it asks for is obeyed only when the proxy says so."""
    told = snapshot(clusters="a")
    async with proxy(tmp_path) as stream:
        await stream.send(ask(CLUSTER))
        server.publish({"pod": told})
        response = await stream.next()
        again = server.publish({"pod": told})
        with pytest.raises(MeshError, match="pod"):
            await again.acked(within=SILENCE_SECONDS)
        await stream.send(ack(response))
        await again.acked(within=Limit.SOON.value)


async def test_a_snapshot_with_a_dangling_reference_is_refused_before_anything_is_sent(
    server: DiscoveryServer, tmp_path: Path
) -> None:
    whole = snapshot(clusters="a")
    dangling = Resource("r", b"", "1", frozenset({(CLUSTER, "gone")}))
    async with proxy(tmp_path) as stream:
        await stream.send(ask(CLUSTER, node="whole"))
        await eventually(lambda: server.connected == {"whole"}, what="the proxy connects")
        with pytest.raises(MeshError, match="gone"):
            server.publish({"whole": whole, "other": Snapshot.of({ROUTE: [dangling]})})
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(stream.call.read(), SILENCE_SECONDS)


async def test_a_newer_publication_takes_the_place_of_an_older_one(server: DiscoveryServer, tmp_path: Path) -> None:
    async with proxy(tmp_path) as stream:
        await stream.send(ask(CLUSTER))
        await eventually(lambda: server.connected == {"pod"}, what="the proxy connects")
        older = server.publish({"pod": snapshot(clusters="a")})
        newer = server.publish({"pod": snapshot(clusters="b")})
        await older.acked(within=Limit.SOON.value)
        await stream.next()
        await stream.send(ack(await stream.next()))
        await newer.acked(within=Limit.SOON.value)


async def test_a_proxy_that_goes_away_is_not_waited_for(server: DiscoveryServer, tmp_path: Path) -> None:
    async with proxy(tmp_path) as stream:
        await stream.send(ask(CLUSTER))
        await eventually(lambda: server.connected == {"pod"}, what="the proxy connects")
        publication = server.publish({"pod": snapshot(clusters="a")})
    await publication.acked(within=Limit.SOON.value)
    assert server.connected == frozenset()
