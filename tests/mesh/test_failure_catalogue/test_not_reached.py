"""Nobody was reached, or who was reached did not answer as he should."""

import asyncio
from contextlib import closing

from tests.kit import Limit, eventually
from tests.mesh.backend import Mesh
from tests.mesh.local import LocalMesh
from tests.mesh.recovery import recovering
from tests.mesh.test_failure_catalogue.catalogue import OUTSIDE, Entry, shows
from tests.mesh.test_failure_catalogue.incidents import CALLED, EDGE, Incident, proxied, told

HALF_CLOSE = "envoy.reloadable_features.allow_multiplexed_upstream_half_close"


@shows("UH no_healthy_upstream")
async def test_a_service_without_pods(incident: Incident) -> None:
    await incident.happens(case="nobody")


@OUTSIDE
@shows("UF upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:…}")
async def test_an_address_where_nobody_listens(incident: Incident) -> None:
    await incident.happens(case="closed")


@OUTSIDE
@shows("UF upstream_reset_before_response_started{remote_connection_failure|TLS_error:…}")
async def test_tls_to_who_speaks_none(incident: Incident) -> None:
    await incident.happens(case="secret")


@shows("UC upstream_reset_before_response_started{connection_termination}")
async def test_plain_text_to_who_wants_mtls(incident: Incident) -> None:
    await incident.happens(case="in plain text")


@shows("NR filter_chain_not_found")
async def test_plain_text_is_told_by_who_wants_mtls(mesh: Mesh, incident: Incident, entry: Entry) -> None:
    before = len(await proxied(mesh, CALLED))
    await incident.call("in plain text")
    await told(mesh, entry, CALLED, since=before)
    assert set(incident.ends.values()) == {entry.seen}


@OUTSIDE
@shows("UPE upstream_reset_before_response_started{protocol_error}")
async def test_a_server_that_speaks_another_protocol(incident: Incident) -> None:
    await incident.happens(case="old")


@OUTSIDE
@shows("UR upstream_reset_before_response_started{remote_reset}")
async def test_a_server_that_resets_the_call(incident: Incident) -> None:
    await incident.happens(case="resets")


@OUTSIDE
@shows("LR upstream_reset_after_response_started{HTTP/1_premature_upstream_half_close}")
async def test_an_answer_before_the_request_is_whole(mesh: Mesh, entry: Entry) -> None:
    """The request never is; what keeps calls open that are answered early is switched on for it."""

    async def upload() -> bytes:
        reader, writer = await asyncio.open_connection(*mesh.edge.split(":"))
        with closing(writer):
            writer.write(b"POST /uploads HTTP/1.1\r\nhost: uploads\r\ncontent-length: 9\r\n\r\nbegun")
            async with asyncio.timeout(Limit.SOON.value):
                return await reader.read()

    assert isinstance(mesh, LocalMesh)
    before = len(await proxied(mesh, EDGE))
    with mesh.runtime(EDGE, HALF_CLOSE, "true"):
        assert b"200 OK" in await eventually(upload, within=Limit.STARTED, what="an answer and an end")
        await told(mesh, entry, EDGE, since=before)


@shows("NR route_not_found")
async def test_no_route_matches(incident: Incident) -> None:
    await incident.happens(case="unheard of")


@shows("NC cluster_not_found")
async def test_a_route_to_what_is_not_there(incident: Incident) -> None:
    await incident.happens(case="missing")


@shows("UC upstream_reset_before_response_started{connection_termination}")
async def test_the_called_program_dies(mesh: Mesh, incident: Incident) -> None:
    """Then it is the called pod's own proxy that has seen it."""
    async with recovering(mesh, CALLED):
        async with incident.held() as call:
            await asyncio.to_thread(mesh.kill, CALLED)
            await call
        await eventually(lambda: incident.is_logged(CALLED), what="the end of the connection in the log")
