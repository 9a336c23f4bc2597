"""Too much at once."""

from collections.abc import AsyncIterator

import grpc
import pytest

from tests.kit import eventually
from tests.mesh.backend import Mesh
from tests.mesh.test_failure_catalogue.catalogue import OUTSIDE, Entry, shows
from tests.mesh.test_failure_catalogue.incidents import EDGE, Incident, told


@shows("UO upstream_reset_before_response_started{overflow}")
async def test_more_calls_than_the_pool_takes(incident: Incident) -> None:
    async with incident.held("one at a time"):
        await incident.happens(case="one at a time")


@shows("URX via_upstream")
async def test_the_last_try_fails(incident: Incident) -> None:
    await incident.happens(case="tried again", request={"fail": "UNAVAILABLE"})


@pytest.fixture
async def at_edge(mesh: Mesh) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to the lab's gateway, which counts calls."""
    async with grpc.aio.insecure_channel(mesh.edge, options=[("grpc.enable_retries", 0)]) as opened:
        yield opened


async def is_limited(at_edge: grpc.aio.Channel, method: str, entry: Entry) -> None:
    """Wait until a call ends as the entry says."""
    call = at_edge.unary_unary(f"/lab.Echo/{method}", request_serializer=bytes, response_deserializer=bytes)

    async def once() -> bool:
        try:
            await call(b"{}", timeout=10, wait_for_ready=True)
        except grpc.aio.AioRpcError as error:
            return error.code().name == entry.seen
        return False

    await eventually(once, what=f"{method} is {entry.seen}")


@shows("RL local_rate_limited")
async def test_more_calls_than_a_proxy_lets_in(mesh: Mesh, at_edge: grpc.aio.Channel, entry: Entry) -> None:
    await is_limited(at_edge, "Here", entry)
    await told(mesh, entry, EDGE, method="Here")


@OUTSIDE
@shows("RLSE rate_limiter_error")
async def test_who_counts_the_calls_does_not_answer(mesh: Mesh, at_edge: grpc.aio.Channel, entry: Entry) -> None:
    await is_limited(at_edge, "There", entry)
    await told(mesh, entry, EDGE, method="There")
