"""The whole bundle by the command line: what stays, what goes, and what a stranger on this machine can see of it.

These hold for the local mesh only: a cluster keeps its own house.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import socket
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from protos.chat.v1.chat_pb2_grpc import ChatServiceStub
from protos.user.v1.user_pb2 import CreateUserRequest, GetUserRequest
from protos.user.v1.user_pb2_grpc import UserServiceStub
from tests.kit import Limit, eventually
from tests.mesh.backend import Mesh
from tests.mesh.conftest import Somebody, bearer
from tests.mesh.local import ROOT, LocalMesh
from tests.mesh.test_chat import send, watched
from tests.mesh.test_files import download, pieces


@pytest.fixture
def own(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LocalMesh]:
    """A mesh of the test's own."""
    if request.config.getoption("--mesh") != "local":
        pytest.skip("of the local mesh only")
    local = LocalMesh(tmp_path)
    try:
        local.start()
        yield local
    finally:
        local.stop()


@asynccontextmanager
async def calling(mesh: LocalMesh, user_id: str) -> AsyncIterator[Somebody]:
    """This user, on a connection of her own."""
    async with grpc.aio.insecure_channel(mesh.gateway, options=[("grpc.enable_retries", 0)]) as channel:
        yield Somebody(user_id, "ada", UserServiceStub(channel), ChatServiceStub(channel), bearer(mesh.token(user_id)))


async def created(mesh: LocalMesh) -> str:
    """A user's id."""
    async with calling(mesh, "operator") as operator:
        request = CreateUserRequest(name="ada", email="ada@example.com")
        return (await operator.users.CreateUser(request, metadata=operator.metadata, timeout=10)).id


def family(process: int) -> list[Path]:
    """A process and all below it, as folders of /proc."""
    folders = [each for each in Path("/proc").iterdir() if each.name.isdigit()]
    parents = {}
    for folder in folders:
        with contextlib.suppress(OSError):  # it has ended
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    found = [process]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return [Path("/proc", str(each)) for each in found]


def listening(processes: list[Path]) -> set[str]:
    """Where these processes listen on TCP: `address:port`."""
    sockets, found = set(), set()
    for process in processes:
        with contextlib.suppress(OSError):  # the process has ended, as those of a database do
            for descriptor in (process / "fd").iterdir():
                with contextlib.suppress(FileNotFoundError):  # it was closed
                    sockets.add(str(descriptor.readlink()))
    for table, kind in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                address, port = fields[1].split(":")
                words = [bytes.fromhex(address[at : at + 8])[::-1] for at in range(0, len(address), 8)]
                found.add(f"{socket.inet_ntop(kind, b''.join(words))}:{int(port, 16)}")
    return found


async def test_users_messages_and_files_stay_over_down_and_up_and_go_with_clean(own: LocalMesh) -> None:
    content = os.urandom(700_000)
    user = await created(own)
    async with calling(own, user) as ada:
        await send(ada, "lobby", "before")
        digest = hashlib.sha256(content).hexdigest()
        file = await ada.chat.UploadFiles(pieces(content, digest), metadata=ada.metadata, timeout=30)

    await asyncio.to_thread(own.command, "down")
    await asyncio.to_thread(own.start)
    async with calling(own, user) as ada:
        assert (await ada.users.GetUser(GetUserRequest(id=user), metadata=ada.metadata, timeout=10)).name == "ada"
        after = await send(ada, "lobby", "after")
        assert after.sequence == 2
        assert [each.text for each in await watched(ada, "lobby", 2, "lobby")] == ["before", "after"]
        assert await download(ada, file.id) == content

    await asyncio.to_thread(own.stop)
    assert not own.state.exists()
    await asyncio.to_thread(own.start)
    async with calling(own, user) as ada:
        with pytest.raises(grpc.aio.AioRpcError) as gone:
            await ada.users.GetUser(GetUserRequest(id=user), metadata=ada.metadata, timeout=10)
        assert gone.value.code() is grpc.StatusCode.NOT_FOUND


async def test_what_a_stranger_on_this_machine_can_see(own: LocalMesh) -> None:
    """Nothing listens beyond loopback, no password stands in a command line or a log, what is private is ours alone.

    The logs tell who called, by certificate, and the trace; never a token or what people wrote to each other.
    """
    user = await created(own)
    async with calling(own, user) as ada:
        text = "a secret between us"
        await send(ada, "lobby", text)
        token = ada.metadata[0][1].removeprefix("Bearer ")
    status = json.loads(own.command("status", "--json"))
    processes = family(status["process"])
    files = [file for file in (ROOT / "secrets").iterdir() if not file.name.startswith(".")]
    secrets = [max(file.read_text().splitlines(), key=len) for file in files]
    assert len(secrets) >= 4
    assert min(map(len, secrets)) >= 16

    addresses = listening(processes)
    assert addresses
    assert {each for each in addresses if not each.startswith("127.")} == set()
    lines = []
    for process in processes:
        with contextlib.suppress(OSError):  # it has ended
            lines.append((process / "cmdline").read_text())
    assert [line for line in lines if any(secret in line for secret in secrets)] == []

    def logged() -> str:
        return "".join(file.read_text(errors="replace") for file in (own.state / "logs").iterdir())

    caller = "spiffe://cluster.local/ns/mesh/sa/gateway"
    await eventually(lambda: caller in logged(), within=Limit.SOON, what="the call is logged with its caller")
    assert '"trace_id"' in logged()
    assert [word for word in (*secrets, token, token.rpartition(".")[0], text) if word in logged()] == []

    private = [own.state / "data", own.state / "logs"]
    assert [oct(folder.stat().st_mode) for folder in private if stat.S_IMODE(folder.stat().st_mode) != 0o700] == []


async def test_each_services_metrics_are_read_on_a_socket_of_its_pod(mesh: Mesh, somebody: Somebody) -> None:
    """Under the names of go-grpc-prometheus, so that public dashboards work; `localmesh status` tells where."""
    if not isinstance(mesh, LocalMesh):
        pytest.skip("of the local mesh only")
    pods = json.loads(mesh.command("status", "--json"))["pods"]

    async def counted(workload: str, service: str) -> bool:
        """After a call; one of user goes to v2 now and then."""
        await send(somebody, "lobby", "counted")
        texts = [
            await read(f"{pod['sockets']}/http-metrics.sock") for pod in pods if pod["workload"].endswith(workload)
        ]
        assert len(texts) == 2
        names = ("grpc_server_started_total", "grpc_server_handled_total", "grpc_server_handling_seconds_bucket")
        of_service = [text for text in texts if f'grpc_service="{service}"' in text]
        return all(any(f"{name}{{" in text for text in of_service) for name in names)

    for workload, service in (("user-v1", "user.v1.UserService"), ("chat", "chat.v1.ChatService")):
        await eventually(lambda of=(workload, service): counted(*of), what=f"the calls of {service} in its metrics")  # type: ignore[misc]


async def read(socket: str) -> str:
    """What /metrics answers on a Unix socket."""
    reader, writer = await asyncio.open_unix_connection(socket)
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: pod\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer.decode()
