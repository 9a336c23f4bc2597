"""Real Envoys for tests: a control plane, sidecars by captured snapshots, and an app that answers what it saw."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import grpc

from localmesh.ads import DiscoveryServer
from localmesh.mesh import Mesh, Placement, Pod
from localmesh.runtime.certs import Authority, new_authority
from localmesh.xds.bootstrap import bootstrap_json
from localmesh.xds.capture import capture
from localmesh.xds.secrets import named_secrets, secrets
from localmesh.xds.snapshot import Snapshot
from tests.kit import Limit, eventually

METHOD = "/user.v1.UserService/GetUser"
# A mesh pod's calls must never leave for a proxy of the machine.
DIRECT: list[tuple[str, object]] = [("grpc.enable_http_proxy", 0), ("grpc.enable_retries", 0)]


def envoy_binary() -> Path:
    spec = find_spec("envoy")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return next(
        path for place in spec.submodule_search_locations for path in [Path(place) / "_bin" / "envoy"] if path.exists()
    )


@dataclass(eq=False)
class Echo:
    """An app that answers with the metadata that it saw; `fails` is the number of calls it refuses first."""

    server: grpc.aio.Server
    calls: int = 0
    fails: int = 0

    async def answer(self, _request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        self.calls += 1
        if self.fails:
            self.fails -= 1
            await context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")
        seen = {key: str(value) for key, value in context.invocation_metadata() or ()}
        return "\n".join(f"{key}: {value}" for key, value in seen.items()).encode()


@asynccontextmanager
async def echo(socket: Path) -> AsyncIterator[Echo]:
    app = Echo(grpc.aio.server())
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(app.answer)
    services = {"GetUser": handler, "DeleteUser": handler}
    app.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("user.v1.UserService", services),))
    app.server.add_insecure_port(f"unix:{socket}")
    await app.server.start()
    try:
        yield app
    finally:
        await app.server.stop(None)


class Plane:
    """A control plane with an authority, and the Envoys that it feeds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "xds.sock"
        self.server = DiscoveryServer(self.socket)
        self.authority: Authority = new_authority("cluster.local", now=datetime.now(UTC))
        self._secrets: dict[str, Snapshot] = {}

    async def give(self, mesh: Mesh, placements: dict[str, Placement]) -> None:
        """Compile, capture and publish; returns when the Envoys of these pods have acknowledged all of it."""
        snapshots = {}
        for key, placement in placements.items():
            pod = mesh.pod(key)
            assert pod is not None
            captured = capture(mesh, pod, placement)
            keys = self._own(pod).merged(named_secrets(pod, mesh.credentials, ""))
            snapshots[node(pod)] = captured.merged(keys)
        published = self.server.publish(snapshots)
        await published.acked(within=Limit.STARTED.value, connect=list(snapshots))

    def _own(self, pod: Pod) -> Snapshot:
        if pod.key not in self._secrets:
            leaf = self.authority.issue(pod.identity, lifetime=timedelta(hours=1), now=datetime.now(UTC))
            self._secrets[pod.key] = secrets(leaf.certificate, leaf.private_key, self.authority.bundle)
        return self._secrets[pod.key]

    @asynccontextmanager
    async def envoy(self, pod: Pod) -> AsyncIterator[Path]:
        """One Envoy; yields its admin socket."""
        admin = self.folder / f"{pod.name}.admin"
        config = self.folder / f"{pod.name}.json"
        config.write_text(bootstrap_json(node(pod), f"{pod.name}.{pod.namespace}", str(admin), str(self.socket)))
        with (self.folder / f"{pod.name}.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                envoy_binary(),
                *("-c", str(config), "--use-dynamic-base-id", "--concurrency", "1", "-l", "warning"),
                *("--drain-time-s", "1"),
                stdout=log,
                stderr=log,
            )
        try:
            yield admin
        finally:
            process.terminate()
            await process.wait()


def node(pod: Pod) -> str:
    return f"{pod.name}.{pod.namespace}"


@asynccontextmanager
async def plane(folder: Path) -> AsyncIterator[Plane]:
    made = Plane(folder)
    await made.server.start()
    try:
        yield made
    finally:
        await made.server.stop()


async def answered(address: str, options: list[tuple[str, object]]) -> None:
    """Waits for a first answer: Envoy acknowledges a listener before its workers listen."""

    async def once() -> bool:
        async with grpc.aio.insecure_channel(address, options=options) as channel:
            return await code(channel) == "OK"

    await eventually(once, within=Limit.STARTED, what=f"a call to {address} is answered")


async def call(channel: grpc.aio.Channel, method: str = METHOD, metadata: dict[str, str] | None = None) -> str:
    """One unary call; the answer is what the app saw."""
    stub: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)
    answer = await stub(b"", metadata=tuple((metadata or {}).items()), timeout=10)
    return bytes(answer).decode()


async def code(channel: grpc.aio.Channel, method: str = METHOD, metadata: dict[str, str] | None = None) -> str:
    """The status code of one unary call, by name."""
    try:
        await call(channel, method, metadata)
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"
