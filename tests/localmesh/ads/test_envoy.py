"""The sessions as a real Envoy sees them: what it takes in, what it refuses, and that it never waits in vain."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.address_pb2 import Address, SocketAddress
from envoy.config.core.v3.config_source_pb2 import AggregatedConfigSource, ApiVersion, ConfigSource
from envoy.config.endpoint.v3.endpoint_components_pb2 import Endpoint, LbEndpoint, LocalityLbEndpoints
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_components_pb2 import Filter, FilterChain
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_components_pb2 import Route, RouteAction, RouteMatch, VirtualHost
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.filters.http.router.v3.router_pb2 import Router
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
    HttpFilter,
    Rds,
)
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from localmesh.ads import DiscoveryServer, Refused
from localmesh.xds.snapshot import CLUSTER, ENDPOINT, LISTENER, ROUTE, Snapshot, resource
from tests.kit import Limit, eventually
from tests.localmesh.loopback import OWN

PORT = 18044
ADS = ConfigSource(ads=AggregatedConfigSource(), resource_api_version=ApiVersion.V3)


def packed(message: Message) -> Any:
    value = Any()
    value.Pack(message)
    return value


def clusters(*names: str, connect_seconds: int = 1) -> list[Cluster]:
    return [
        Cluster(
            name=name,
            type=Cluster.EDS,
            eds_cluster_config=Cluster.EdsClusterConfig(eds_config=ADS),
            connect_timeout=Duration(seconds=connect_seconds),
        )
        for name in names
    ]


def endpoints(cluster: str, port: int) -> ClusterLoadAssignment:
    address = Address(socket_address=SocketAddress(address=OWN, port_value=port))
    endpoint = LbEndpoint(endpoint=Endpoint(address=address))
    return ClusterLoadAssignment(cluster_name=cluster, endpoints=[LocalityLbEndpoints(lb_endpoints=[endpoint])])


def listener() -> Listener:
    manager = HttpConnectionManager(
        stat_prefix="in",
        rds=Rds(config_source=ADS, route_config_name="r"),
        http_filters=[HttpFilter(name="router", typed_config=packed(Router()))],
    )
    return Listener(
        name="in",
        address=Address(socket_address=SocketAddress(address=OWN, port_value=PORT)),
        filter_chains=[FilterChain(filters=[Filter(name="hcm", typed_config=packed(manager))])],
    )


def routes(cluster: str) -> RouteConfiguration:
    route = Route(match=RouteMatch(prefix="/"), route=RouteAction(cluster=cluster))
    return RouteConfiguration(name="r", virtual_hosts=[VirtualHost(name="all", domains=["*"], routes=[route])])


def snapshot(made: list[Cluster], assigned: list[ClusterLoadAssignment], to: str) -> Snapshot:
    return Snapshot.of(
        {
            CLUSTER: [resource(cluster.name, cluster) for cluster in made],
            ENDPOINT: [resource(one.cluster_name, one) for one in assigned],
            LISTENER: [resource("in", listener())],
            ROUTE: [resource("r", routes(to))],
        }
    )


async def answering(text: str, port: int) -> asyncio.Server:
    """An HTTP server that says one text."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 200 OK\r\ncontent-length: {len(text)}\r\nconnection: close\r\n\r\n{text}".encode())
        await writer.drain()
        writer.close()

    return await asyncio.start_server(answer, OWN, port)


async def get() -> str:
    """What the proxy answers, from the first to the last byte."""
    reader, writer = await asyncio.open_connection(OWN, PORT)
    writer.write(b"GET / HTTP/1.1\r\nhost: any\r\nconnection: close\r\n\r\n")
    answer = (await reader.read()).decode()
    writer.close()
    return answer


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[DiscoveryServer]:
    server = DiscoveryServer(tmp_path / "xds.sock")
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def envoy(server: DiscoveryServer, tmp_path: Path) -> AsyncIterator[Path]:
    """An Envoy named `pod` that asks our server for everything; gives its log."""
    xds = {
        "name": "xds",
        "type": "STATIC",
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
        "load_assignment": {
            "cluster_name": "xds",
            "endpoints": [
                {"lb_endpoints": [{"endpoint": {"address": {"pipe": {"path": str(tmp_path / "xds.sock")}}}}]}
            ],
        },
    }
    source = {"ads": {}, "resource_api_version": "V3"}
    grpc = {
        "api_type": "GRPC",
        "transport_api_version": "V3",
        "grpc_services": [{"envoy_grpc": {"cluster_name": "xds"}}],
    }
    bootstrap = {
        "node": {"id": "pod", "cluster": "test"},
        "static_resources": {"clusters": [xds]},
        "dynamic_resources": {"ads_config": grpc, "cds_config": source, "lds_config": source},
    }
    log = tmp_path / "envoy.log"
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            "envoy",
            *("--config-yaml", json.dumps(bootstrap), "--concurrency", "1", "--use-dynamic-base-id"),
            stdout=out,
            stderr=out,
        )
    yield log
    process.terminate()
    await process.wait()


@pytest.fixture
async def servers() -> AsyncIterator[tuple[int, int]]:
    """Two upstreams: one says `one`, the other `two`."""
    one, two = await answering("one", PORT + 1), await answering("two", PORT + 2)
    yield PORT + 1, PORT + 2
    one.close()
    two.close()


async def says(text: str) -> bool:
    return (await get()).endswith(f"\r\n\r\n{text}")


async def test_a_change_is_in_force_when_it_is_acknowledged(
    server: DiscoveryServer, envoy: Path, servers: tuple[int, int]
) -> None:
    one, two = servers
    first = server.publish({"pod": snapshot(clusters("a"), [endpoints("a", one)], "a")})
    await first.acked(within=Limit.STARTED.value, connect={"pod"})
    assert await eventually(lambda: says("one"), what="the listener answers")

    # A new cluster and the route to it in one step: no request finds the route without its cluster.
    both = [endpoints("a", one), endpoints("b", two)]
    await server.publish({"pod": snapshot(clusters("a", "b"), both, "b")}).acked(within=Limit.SOON.value)
    assert await says("two")

    # Only its endpoints move.
    moved = [endpoints("a", one), endpoints("b", one)]
    await server.publish({"pod": snapshot(clusters("a", "b"), moved, "b")}).acked(within=Limit.SOON.value)
    assert await says("one")

    # A changed cluster warms anew with the endpoints that it already had: Envoy would wait 15 s for them.
    warm = snapshot(clusters("a", "b", connect_seconds=2), moved, "b")
    await server.publish({"pod": warm}).acked(within=Limit.SOON.value)
    assert await says("one")


async def test_what_envoy_refuses_is_rolled_back_and_the_old_routes_answer(
    server: DiscoveryServer, envoy: Path, servers: tuple[int, int]
) -> None:
    one, two = servers
    good = snapshot(clusters("a"), [endpoints("a", one)], "a")
    await server.publish({"pod": good}).acked(within=Limit.STARTED.value, connect={"pod"})
    broken = clusters("b")[0]
    broken.lb_policy = Cluster.CLUSTER_PROVIDED
    bad = snapshot([*clusters("a"), broken], [endpoints("a", two), endpoints("b", two)], "b")
    with pytest.raises(Refused, match="cluster 'b' did not provide one") as refusal:
        await server.publish({"pod": bad}).acked(within=Limit.SOON.value)
    assert [(nack.node, nack.type_url, nack.names) for nack in refusal.value.nacks] == [("pod", CLUSTER, ("b",))]
    await server.publish({"pod": good}).acked(within=Limit.SOON.value)
    assert await says("one")
