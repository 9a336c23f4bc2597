"""docs/failures.md, entry by entry: each failure is made to happen, and the log has the line that the page shows.

What a test expects (the status, the fields of the log line, and whose line it is) stands on the page and nowhere else.
"""

import asyncio
import http.server
import sys
import threading
import time
import uuid
from collections.abc import Iterator

import grpc
import pytest

from clients import failure
from protos.chat.v1.chat_pb2 import ListMessagesRequest, WatchRoomRequest
from protos.user.v1.user_pb2 import GetUserRequest
from tests.kit import Limit, eventually
from tests.mesh.backend import Mesh
from tests.mesh.catalogue import Entry, entries
from tests.mesh.conftest import Lab, Somebody, bearer
from tests.mesh.forward import free_ports
from tests.mesh.incidents import CALLED, Incident, told, written
from tests.mesh.lab.failing import ISSUER, judge, judge_at, policies
from tests.mesh.lab.keys import Issuer
from tests.mesh.local import ROOT
from tests.mesh.test_chat import replicas, send

ENTRIES = entries()
OUTSIDE = pytest.mark.local("what lives outside is a server of the tests' own process, which no pod reaches")
POSTGRES_SSL = "0000000804d2162f"
LONG = 60  # seconds: longer than any call here waits


def shows(*titles: str) -> pytest.MarkDecorator:
    """The test makes these entries happen, one at a time; it gets it as `entry`."""
    return pytest.mark.parametrize("entry", titles, indirect=True)


@pytest.fixture
def entry(request: pytest.FixtureRequest) -> Entry:
    """What the page says."""
    return ENTRIES[request.param]


def test_every_entry_of_the_page_has_its_test_and_every_test_its_entry() -> None:
    module = sys.modules[__name__]
    marks = [mark for each in vars(module).values() for mark in getattr(each, "pytestmark", ())]
    tested = {title for mark in marks if mark.args[:1] == ("entry",) for title in mark.args[1]}
    assert tested == set(ENTRIES)


class OldServer(http.server.BaseHTTPRequestHandler):
    """Speaks HTTP/1, and says no to all."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """403."""
        self.send_response(403)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    """The port of a server outside the mesh."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", next(free_ports())), OldServer) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield serving.server_port
        serving.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def closed() -> int:
    """A port at which nobody listens."""
    return next(free_ports())


@pytest.fixture(scope="module", autouse=True)
def in_force(mesh: Mesh, server: int, closed: int) -> Iterator[None]:
    """All policies at once; each has calls of its own."""
    with mesh.policy(*policies(server, closed)):
        yield


@pytest.fixture
def incident(mesh: Mesh, lab: Lab, entry: Entry) -> Incident:
    """No call yet."""
    return Incident(mesh, lab, entry)


# --- nobody was reached ----------------------------------------------------------------------------------------------


@shows("UH no_healthy_upstream")
async def test_a_service_without_pods(incident: Incident) -> None:
    await incident.happens(case="nobody")


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
    before = len(await written(mesh, CALLED))
    await incident.call("in plain text")
    await told(mesh, entry, CALLED, since=before)
    assert set(incident.ends.values()) == {entry.seen}


@OUTSIDE
@shows("UPE upstream_reset_before_response_started{protocol_error}")
async def test_a_server_that_speaks_another_protocol(incident: Incident) -> None:
    await incident.happens(case="old")


@shows("NR route_not_found")
async def test_no_route_matches(incident: Incident) -> None:
    await incident.happens(case="unheard of")


# --- it took too long ------------------------------------------------------------------------------------------------


@shows("UT response_timeout")
async def test_the_time_of_a_route_is_over(incident: Incident) -> None:
    """Only the caller's proxy knows it: the route takes the header away that would tell the called pod's."""
    await incident.happens(case="in time", request={"delay": LONG})


@shows("- max_duration_timeout")
async def test_the_time_that_the_called_pod_is_told_is_over(incident: Incident) -> None:
    """Only its proxy knows it: the route writes the header and has no timeout."""
    await incident.happens(case="told the time", request={"delay": LONG})


@shows("DR http2.remote_reset")
async def test_the_client_gives_up(incident: Incident) -> None:
    await incident.happens(request={"delay": LONG}, deadline=0.2)


@shows("DC downstream_remote_disconnect")
async def test_the_client_hangs_up(mesh: Mesh, entry: Entry) -> None:
    method = f"Hung{uuid.uuid4().hex}"

    async def hang_up() -> bool:
        """Before the whole request is there."""
        _, writer = await asyncio.open_connection(*mesh.edge.split(":"))
        writer.write(f"POST /lab.Echo/{method} HTTP/1.1\r\nhost: echo\r\ncontent-length: 9\r\n\r\n{{".encode())
        await writer.drain()
        writer.close()
        return True

    await eventually(hang_up, what="edge listens")
    await told(mesh, entry, "lab/edge-0", method=method)


@shows("SI stream_idle_timeout")
async def test_nothing_moves(incident: Incident) -> None:
    await incident.happens(case="idle", request={"delay": LONG})


# --- too much at once ------------------------------------------------------------------------------------------------


@shows("UO upstream_reset_before_response_started{overflow}")
async def test_more_calls_than_the_pool_takes(incident: Incident) -> None:
    await incident.happens(case="one at a time", request={"delay": 0.2}, at_once=3)


@shows("URX via_upstream")
async def test_the_last_try_fails(incident: Incident) -> None:
    await incident.happens(case="tried again", request={"fail": "UNAVAILABLE"})


# --- it was not allowed ----------------------------------------------------------------------------------------------


@shows("- rbac_access_denied_matched_policy[none]")
async def test_no_rule_lets_the_call_in(incident: Incident) -> None:
    await incident.happens(method="Unlisted")


@shows("- rbac_access_denied_matched_policy[ns[…]-policy[…]-rule[…]]")
async def test_a_rule_denies_the_call(incident: Incident) -> None:
    await incident.happens(method="Denied")


@shows("- - rbac_access_denied_matched_policy[none]")
async def test_no_rule_lets_the_connection_in(mesh: Mesh, lab: Lab, entry: Entry) -> None:
    before = len(await written(mesh, "mesh/postgres-0"))
    assert await lab.ask({"knock": "POSTGRES", "say": POSTGRES_SSL}) == {"heard": "", "closed": True}
    await told(mesh, entry, "mesh/postgres-0", since=before)


NOW = int(time.time())
TOKENS = {
    "Jwt_is_expired": ISSUER.token(aud="lab", exp=NOW - 3600),
    "Jwt_not_yet_valid": ISSUER.token(aud="lab", nbf=NOW + 3600, exp=NOW + 7200),
    "Jwt_issuer_is_not_configured": Issuer("https://other.example").token(aud="lab"),
    "Jwt_verification_fails": Issuer(ISSUER.name).token(aud="lab"),
    "Jwt_is_not_in_the_form_of_Header.Payload.Signature_with_two_dots_and_3_sections": "garbage",
    "Audiences_in_Jwt_are_not_allowed": ISSUER.token(aud="elsewhere"),
}


@shows(*(f"- jwt_authn_access_denied{{{kind}}}" for kind in TOKENS))
async def test_a_token_does_not_hold(incident: Incident, entry: Entry) -> None:
    kind = entry.fields[1].partition("{")[2].rstrip("}")
    await incident.happens(token=TOKENS[kind])


@pytest.fixture(scope="module")
def judged(mesh: Mesh, in_force: None, server: int) -> Iterator[None]:
    """An authorizer is asked, who says no."""
    with mesh.policy(*judge((ROOT / "deploy" / "istio-operator.yaml").read_text(), server)):
        yield


@OUTSIDE
@pytest.mark.usefixtures("judged")
@shows("UAEX ext_authz_denied")
async def test_an_authorizer_says_no(incident: Incident) -> None:
    await incident.happens(method="Judged")


@OUTSIDE
@pytest.mark.usefixtures("judged")
@shows("UAEX ext_authz_error")
async def test_an_authorizer_does_not_answer(mesh: Mesh, incident: Incident, closed: int) -> None:
    with mesh.policy(judge_at(closed)):
        await incident.happens(method="Judged")


# --- it was asked for, or spoken wrongly -----------------------------------------------------------------------------


@shows("FI fault_filter_abort")
async def test_an_abort_on_purpose(incident: Incident) -> None:
    await incident.happens(case="aborted")


@shows("DI via_upstream")
async def test_a_delay_on_purpose(incident: Incident) -> None:
    await incident.happens(case="delayed")


@shows("DPE http1.codec_error")
async def test_what_is_no_http(mesh: Mesh, entry: Entry) -> None:
    before = len(await written(mesh, "lab/edge-0"))

    async def speak() -> bytes:
        reader, writer = await asyncio.open_connection(*mesh.edge.split(":"))
        writer.write(b"GET / HTTP/1.1\r\nwhat is this\r\n\r\n")
        answer = await reader.read()
        writer.close()
        return answer

    assert b"400 Bad Request" in await eventually(speak, what="edge answers")
    await told(mesh, entry, "lab/edge-0", since=before)


# --- the service said so ---------------------------------------------------------------------------------------------


async def served(mesh: Mesh, entry: Entry, error: grpc.aio.AioRpcError, method: str, *pods: str) -> None:
    """The error is the entry's, and one of these pods has written a line of such a call."""
    code, reason = entry.fields
    assert (error.code().name, failure.reason(error), entry.seen) == (code, reason, code)

    async def once() -> bool:
        asked = {"event": "served", "method": method, "code": code}
        return any(asked.items() <= line.items() for line in await written(mesh, *pods))

    await eventually(once, what=f"{entry.title} in the log of {' or '.join(pods)}")


@shows("UNAUTHENTICATED TOKEN_MISSING")
async def test_no_token(mesh: Mesh, somebody: Somebody, entry: Entry) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as end:
        await somebody.users.GetUser(GetUserRequest(id=somebody.id), timeout=10)
    users = (info.name for info in mesh.pods() if info.name.startswith("mesh/user-"))
    await served(mesh, entry, end.value, "/user.v1.UserService/GetUser", *users)


@pytest.fixture
async def watching(somebody: Somebody) -> tuple[str, str, str]:
    """A room, a replica of chat, and the value of x-room that leads to it."""
    room = f"room-{uuid.uuid4().hex[:10]}"
    await send(somebody, room, "one")
    pod, way = next(iter((await replicas(somebody, room)).items()))
    return room, pod, way


@shows("UNAUTHENTICATED TOKEN_EXPIRED")
async def test_a_token_ends_before_the_stream(
    mesh: Mesh, somebody: Somebody, watching: tuple[str, str, str], entry: Entry
) -> None:
    room, pod, way = watching
    metadata = (*bearer(mesh.token(somebody.id, exp=int(time.time()) + 2)), ("x-room", way))
    with pytest.raises(grpc.aio.AioRpcError) as end:
        async for _ in somebody.chat.WatchRoom(WatchRoomRequest(room=room), metadata=metadata, timeout=60):
            pass
    await served(mesh, entry, end.value, "/chat.v1.ChatService/WatchRoom", f"mesh/{pod}")


@shows("UNAVAILABLE STREAM_DRAINING")
async def test_a_replica_is_stopped(
    mesh: Mesh, somebody: Somebody, watching: tuple[str, str, str], entry: Entry
) -> None:
    room, pod, way = watching
    call = somebody.chat.WatchRoom(WatchRoomRequest(room=room), metadata=(*somebody.metadata, ("x-room", way)))
    await call.read()
    await asyncio.to_thread(mesh.kill, f"mesh/{pod}", "TERM")
    with pytest.raises(grpc.aio.AioRpcError) as end:
        await call.read()
    await served(mesh, entry, end.value, "/chat.v1.ChatService/WatchRoom", f"mesh/{pod}")
    await all_ready(mesh)


@shows("UNAVAILABLE STORE_UNAVAILABLE")
async def test_the_database_dies(mesh: Mesh, somebody: Somebody, watching: tuple[str, str, str], entry: Entry) -> None:
    room, pod, way = watching
    metadata = (*somebody.metadata, ("x-room", way))
    await asyncio.to_thread(mesh.kill, "mesh/postgres-0")

    async def fails() -> grpc.aio.AioRpcError | None:
        try:
            await somebody.chat.ListMessages(ListMessagesRequest(room=room), metadata=metadata, timeout=10)
        except grpc.aio.AioRpcError as error:
            return error
        return None

    error = await eventually(fails, what="the database is missed")
    assert error is not None
    await served(mesh, entry, error, "/chat.v1.ChatService/ListMessages", f"mesh/{pod}")
    await all_ready(mesh)


# --- the last, because it takes echo away ----------------------------------------------------------------------------


@shows("UC upstream_reset_before_response_started{connection_termination}")
async def test_the_called_program_dies(mesh: Mesh, lab: Lab, incident: Incident) -> None:
    """Then it is the called pod's own proxy that has seen it."""
    key = uuid.uuid4().hex
    calling = asyncio.create_task(incident.call(request={"key": key, "delay": 60}))

    async def arrived() -> bool:
        return bool((await lab.call({"key": key, "peek": True}, headers={"x-lab-case": "well"}))["calls"])

    await eventually(arrived, what="the call is there")
    await asyncio.to_thread(mesh.kill, CALLED)
    await calling
    await eventually(lambda: incident.is_logged(CALLED), what="the end of the connection in the log")
    await all_ready(mesh)


async def all_ready(mesh: Mesh) -> None:
    """For the next test."""

    async def once() -> bool:
        return all(info.ready for info in await asyncio.to_thread(mesh.pods))

    await eventually(once, within=Limit.RECOVERED, what="every pod is ready again")
