"""One mesh for all tests of this folder, and what a test needs to speak to it."""

import json
import os
import uuid
from collections.abc import AsyncIterator, Generator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
import pytest

if TYPE_CHECKING:
    from protos.chat.v1.chat_pb2_grpc import ChatServiceAsyncStub
    from protos.user.v1.user_pb2_grpc import UserServiceAsyncStub
from deploy.kind.settings import Settings
from protos.chat.v1.chat_pb2 import ListMessagesRequest
from protos.chat.v1.chat_pb2_grpc import ChatServiceStub
from protos.user.v1.user_pb2 import CreateUserRequest, User
from protos.user.v1.user_pb2_grpc import UserServiceStub
from tests.kit import Limit, eventually
from tests.mesh.backend import Mesh
from tests.mesh.kind import KindMesh
from tests.mesh.local import LocalMesh


@pytest.fixture(scope="session")
def mesh(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """The running mesh: the bundle of deploy/ and the lab, gone without a trace at the end."""
    backend = request.config.getoption("--mesh")
    chosen = LocalMesh(tmp_path_factory.mktemp("mesh")) if backend == "local" else KindMesh(Settings.read(os.environ))
    try:
        chosen.start()
        yield chosen
    finally:
        chosen.stop()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What only this machine can show is left out on a cluster, with its reason."""
    for item in items:
        mark = item.get_closest_marker("local")
        if mark and config.getoption("--mesh") != "local":
            item.add_marker(pytest.mark.skip(reason=f"on this machine only: {mark.args[0]}"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test shows the pods and the end of their logs: where one would go and look."""
    report = yield
    mesh = getattr(item, "funcargs", {}).get("mesh")
    if report.failed and report.when == "call" and mesh is not None:
        lines = []
        for pod in mesh.pods():
            lines.append(f"--- {pod.name} {pod.state} restarts={pod.restarts}")
            lines.extend(mesh.logs(pod.name).splitlines()[-15:])
        report.sections.append(("the mesh", "\n".join(line[:400] for line in lines)))
    return report


@pytest.fixture
async def channel(mesh: Mesh) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to the gateway, without any retry of its own."""
    async with grpc.aio.insecure_channel(mesh.gateway, options=[("grpc.enable_retries", 0)]) as opened:
        yield opened


@dataclass(frozen=True, slots=True)
class Lab:
    """Calls of the lab's echo service, from `caller` through both sidecars."""

    channel: grpc.aio.Channel
    token: str

    async def call(
        self,
        request: dict[str, Any],
        *,
        method: str = "Read",
        deadline: float = 20,
        headers: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        """caller calls echo's method (or any path) with this request and headers, within `deadline` seconds."""
        path = method if method.startswith("/") else f"/lab.Echo/{method}"
        return await self.ask({"via": request, "path": path, "timeout": deadline, "headers": headers or {}})

    async def ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Ask caller itself."""
        metadata = [("authorization", f"Bearer {self.token}")]
        echo = self.channel.unary_unary("/lab.Echo/Read", request_serializer=bytes, response_deserializer=bytes)
        reply = await echo(json.dumps(asked).encode(), metadata=metadata, timeout=30)
        answer: dict[str, Any] = json.loads(reply)
        return answer


@dataclass(frozen=True, slots=True)
class Somebody:
    """A user of the chat and what she calls with."""

    id: str
    name: str
    users: "UserServiceAsyncStub"
    chat: "ChatServiceAsyncStub"
    metadata: tuple[tuple[str, str], ...]


@pytest.fixture
async def somebody(mesh: Mesh, channel: grpc.aio.Channel) -> Somebody:
    """A new user, whom both services answer.

    The test before this may have left a proxy that still knows of a pod which it has killed, or spares one that failed.
    """
    users, chat = UserServiceStub(channel), ChatServiceStub(channel)
    name = f"user-{uuid.uuid4().hex[:12]}"
    request = CreateUserRequest(name=name, email=f"{name}@example.com", request_id=str(uuid.uuid4()))

    async def created() -> User:
        return await users.CreateUser(request, metadata=bearer(mesh.token("operator")), timeout=10)

    user = await eventually(created, within=Limit.STARTED, what="a user is made")
    who = Somebody(user.id, name, users, chat, bearer(mesh.token(user.id)))

    async def answered() -> bool:
        """A room that nobody joined is not found, by a replica that can look."""
        try:
            await chat.ListMessages(ListMessagesRequest(room=name), metadata=who.metadata, timeout=10)
        except grpc.aio.AioRpcError as error:
            return error.code() is grpc.StatusCode.NOT_FOUND
        return False

    await eventually(answered, within=Limit.STARTED, what="chat answers")
    return who


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    """Metadata that carries a token."""
    return (("authorization", f"Bearer {token}"),)


def header(metadata: grpc.aio.Metadata, name: str) -> str:
    """The value of a header of an answer."""
    return next(str(value) for key, value in metadata if key == name)


@pytest.fixture
def lab(mesh: Mesh, channel: grpc.aio.Channel) -> Lab:
    """The lab, with a token of nobody in particular."""
    return Lab(channel, mesh.token("lab"))
