"""It took too long, for a proxy or for the caller."""

import asyncio
import json
import uuid
from contextlib import closing

from tests.kit import eventually
from tests.mesh.backend import Mesh
from tests.mesh.conftest import Lab
from tests.mesh.test_failure_catalogue.catalogue import Entry, shows
from tests.mesh.test_failure_catalogue.incidents import EDGE, LONG, Incident, arrived, told


@shows("UT response_timeout")
async def test_the_time_of_a_route_is_over(incident: Incident) -> None:
    """Only the caller's proxy knows it: the route takes the header away that would tell the called pod's."""
    await incident.happens(case="in time", request={"delay": LONG})


@shows("UT upstream_per_try_timeout")
async def test_the_time_of_a_try_is_over(incident: Incident) -> None:
    """So too here."""
    await incident.happens(case="each try in time", request={"delay": LONG})


@shows("- max_duration_timeout")
async def test_the_time_that_the_called_pod_is_told_is_over(incident: Incident) -> None:
    """Only its proxy knows it: the route writes the header and has no timeout."""
    await incident.happens(case="told the time", request={"delay": LONG})


@shows("DR http2.remote_reset")
async def test_the_client_gives_up(incident: Incident) -> None:
    async with incident.held() as call:
        call.cancel()
        await eventually(incident.is_logged, what=f"{incident.entry.title} in the log")


@shows("DC downstream_remote_disconnect")
async def test_the_client_hangs_up(mesh: Mesh, lab: Lab, entry: Entry) -> None:
    """In the middle of a call that is at echo."""
    key, method = uuid.uuid4().hex, f"Hung{uuid.uuid4().hex}"
    asked = json.dumps({"key": key, "delay": LONG}).encode()
    message = b"\0" + len(asked).to_bytes(4) + asked
    head = f"POST /lab.Echo/{method} HTTP/1.1\r\nhost: echo\r\nte: trailers\r\ncontent-type: application/grpc\r\n"

    async def connected() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(*mesh.edge.split(":"))

    _, writer = await eventually(connected, what="edge listens")
    with closing(writer):
        writer.write(f"{head}content-length: {len(message)}\r\n\r\n".encode() + message)
        await arrived(lab, key)
    await told(mesh, entry, EDGE, method=method)


@shows("SI stream_idle_timeout")
async def test_nothing_moves(incident: Incident) -> None:
    await incident.happens(case="idle", request={"delay": LONG})
