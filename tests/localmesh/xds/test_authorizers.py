"""CUSTOM policies: another service is asked about the requests that their rules match, and about no others."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc
import pytest
from envoy.service.auth.v3 import external_auth_pb2
from google.rpc import status_pb2

from localmesh.mesh import Mesh, Pod
from localmesh.mesh.identity import Protocol
from localmesh.mesh.pods import Outbound
from localmesh.mesh.security import AccessPolicy, Action, Authorizer, HttpCheck, Operation, Rule
from localmesh.mesh.services import Endpoint, Service, ServicePort
from localmesh.mesh.upstreams import Upstream
from localmesh.xds.capture import capture
from localmesh.xds.snapshot import CLUSTER
from tests.localmesh.xds import meshes
from tests.localmesh.xds.envoys import DIRECT, METHOD, Plane, answered, code, echo, plane

DELETE = "/user.v1.UserService/DeleteUser"
ASK = AccessPolicy("ask", "mesh", Action.CUSTOM, (Rule(operations=(Operation(paths=(DELETE,)),)),), provider="opa")
OPA = Authorizer("opa", "opa.mesh.svc.cluster.local", 9000, timeout=5.0)


@dataclass(eq=False)
class Judge:
    """An external authorizer: it lets pass what carries `x-pass`, and remembers what it was asked about."""

    asked: list[str] = field(default_factory=list)

    async def check(self, request: bytes, _context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        http = external_auth_pb2.CheckRequest.FromString(request).attributes.request.http
        self.asked.append(http.path)
        verdict = grpc.StatusCode.OK if "x-pass" in http.headers else grpc.StatusCode.PERMISSION_DENIED
        answer = external_auth_pb2.CheckResponse(status=status_pb2.Status(code=verdict.value[0]))
        return bytes(answer.SerializeToString())


@asynccontextmanager
async def judging(socket: Path) -> AsyncIterator[Judge]:
    judge, server = Judge(), grpc.aio.server()
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(judge.check)
    name = "envoy.service.auth.v3.Authorization"
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, {"Check": handler}),))
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    try:
        yield judge
    finally:
        await server.stop(None)


@dataclass
class Court:
    """chat's app calls user's app, whose sidecar may ask a judge."""

    plane: Plane
    folder: Path
    judge: Judge
    channel: grpc.aio.Channel

    async def give(self, *policies: AccessPolicy, authorizer: Authorizer = OPA, at: str = "judge.sock") -> None:
        user = replace(meshes.user_pod(), access=policies, outbound=leading_to(self.folder / at))
        whole = Mesh((user, meshes.chat_pod()), (meshes.service(),), authorizers=(authorizer,))
        placements = {
            "mesh/user-0": meshes.user_placement(f"unix:{self.folder / 'app.sock'}"),
            "mesh/chat-0": meshes.chat_placement(),
        }
        await self.plane.give(whole, placements)


def leading_to(socket: Path) -> Outbound:
    """Where user's sidecar finds the judge."""
    port = ServicePort(OPA.port, "grpc", Protocol.GRPC, OPA.port)
    ends = (Endpoint(str(socket), 0),)
    service = Service(OPA.host, "opa", "mesh", (port,), endpoints={OPA.port: ends})
    return Outbound((Upstream(service, port, endpoints=ends),))


@pytest.fixture(scope="module")
async def court() -> AsyncIterator[Court]:
    with TemporaryDirectory(prefix="xds") as name:
        folder = Path(name)
        host, port = meshes.DIALED
        user: Pod = meshes.user_pod()
        async with (
            echo(folder / "app.sock"),
            judging(folder / "judge.sock") as judge,
            plane(folder) as control,
            control.envoy(user),
            control.envoy(meshes.chat_pod()),
            grpc.aio.insecure_channel(f"{host}:{port}", options=DIRECT) as channel,
        ):
            made = Court(control, folder, judge, channel)
            await made.give()
            await answered(f"{host}:{port}", DIRECT)
            yield made


async def test_what_a_rule_matches_is_asked_about_and_nothing_else(court: Court) -> None:
    """The first policy acts on a connection that is open already."""
    assert await code(court.channel, DELETE) == "OK"
    await court.give(ASK)
    court.judge.asked.clear()
    assert await code(court.channel, METHOD) == "OK"
    assert await code(court.channel, DELETE) == "PERMISSION_DENIED"
    assert await code(court.channel, DELETE, {"x-pass": "yes"}) == "OK"
    assert court.judge.asked == [DELETE, DELETE]


async def test_the_other_policies_hold_beside_it(court: Court) -> None:
    """A verdict of the authorizer opens nothing that a DENY policy closes."""
    deny = AccessPolicy("d", "mesh", Action.DENY, (Rule(operations=(Operation(paths=(DELETE,)),)),))
    await court.give(ASK, deny)
    assert await code(court.channel, DELETE, {"x-pass": "yes"}) == "PERMISSION_DENIED"


async def test_a_policy_whose_provider_nobody_knows_denies(court: Court) -> None:
    """As istiod: what would have been asked about is refused."""
    await court.give(replace(ASK, provider="nobody"))
    assert await code(court.channel, DELETE, {"x-pass": "yes"}) == "PERMISSION_DENIED"
    assert await code(court.channel, METHOD) == "OK"


@pytest.mark.parametrize("http", [None, HttpCheck()], ids=["gRPC", "HTTP"])
def test_the_way_to_an_authorizer_is_there_whatever_it_speaks(http: HttpCheck | None) -> None:
    user = replace(meshes.user_pod(), access=(ASK,), outbound=leading_to(Path("/judge.sock")))
    whole = Mesh((user, meshes.chat_pod()), (meshes.service(),), authorizers=(replace(OPA, http=http),))
    made = capture(whole, user, meshes.user_placement("unix:/app.sock"))
    assert f"outbound|{OPA.port}||{OPA.host}" in made.type(CLUSTER)
    assert not made.consistent()


@pytest.mark.parametrize(("fail_open", "verdict"), [(True, "OK"), (False, "PERMISSION_DENIED")])
async def test_an_authorizer_out_of_reach_lets_pass_only_where_it_may(
    court: Court, fail_open: bool, verdict: str
) -> None:
    """`failOpen`."""
    await court.give(ASK, authorizer=replace(OPA, fail_open=fail_open), at="nowhere.sock")
    assert await code(court.channel, DELETE) == verdict
