"""It was asked for, or the client spoke wrongly."""

import asyncio
from contextlib import closing

from tests.kit import eventually
from tests.mesh.backend import Mesh
from tests.mesh.test_failure_catalogue.catalogue import Entry, shows
from tests.mesh.test_failure_catalogue.incidents import EDGE, Incident, proxied, told


@shows("FI fault_filter_abort")
async def test_an_abort_on_purpose(incident: Incident) -> None:
    await incident.happens(case="aborted")


@shows("DI via_upstream")
async def test_a_delay_on_purpose(incident: Incident) -> None:
    await incident.happens(case="delayed")


@shows("DPE http1.codec_error")
async def test_what_is_no_http(mesh: Mesh, entry: Entry) -> None:
    before = len(await proxied(mesh, EDGE))

    async def speak() -> bytes:
        reader, writer = await asyncio.open_connection(*mesh.edge.split(":"))
        with closing(writer):
            writer.write(b"GET / HTTP/1.1\r\nwhat is this\r\n\r\n")
            return await reader.read()

    assert b"400 Bad Request" in await eventually(speak, what="edge answers")
    await told(mesh, entry, EDGE, since=before)
