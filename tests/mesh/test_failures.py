"""Kill -9 of every kind of pod in turn: what callers see meanwhile, and that all is well again after."""

import asyncio
import uuid

import grpc
import pytest

from protos.chat.v1.chat_pb2 import ListMessagesRequest, SendMessageRequest
from protos.user.v1.user_pb2 import GetUserRequest
from tests.kit import Limit, eventually
from tests.mesh.backend import Mesh
from tests.mesh.conftest import Somebody
from tests.mesh.recovery import recovering


async def works(who: Somebody) -> bool:
    """A message is posted: gateway, chat, user, PostgreSQL."""
    request = SendMessageRequest(room="after", text="well?", message_id=uuid.uuid4().hex)
    sent = await who.chat.SendMessage(request, metadata=who.metadata, timeout=5)
    return sent.sequence > 0


@pytest.mark.parametrize("pod", ["mesh/user-v1-0", "mesh/user-v1-1"])
async def test_no_read_fails_when_a_user_replica_is_killed(mesh: Mesh, somebody: Somebody, pod: str) -> None:
    """A steady load of reads across the kill; the mesh retries on another replica."""
    over = asyncio.Event()

    async def load() -> int:
        calls = 0
        while not over.is_set():
            await somebody.users.GetUser(GetUserRequest(id=somebody.id), metadata=somebody.metadata, timeout=10)
            calls += 1
        return calls

    callers = [asyncio.create_task(load()) for _ in range(4)]
    try:
        async with recovering(mesh, pod):
            await asyncio.to_thread(mesh.kill, pod)
    finally:
        over.set()
        counts = await asyncio.gather(*callers)
    assert sum(counts) > 0


@pytest.mark.parametrize("pod", ["mesh/user-v2-0", "mesh/chat-0", "mesh/postgres-0", "mesh/nats-0"])
async def test_after_the_kill_of_any_other_app_all_works_again(mesh: Mesh, somebody: Somebody, pod: str) -> None:
    async with recovering(mesh, pod):
        await asyncio.to_thread(mesh.kill, pod)
    await eventually(lambda: works(somebody), within=Limit.RECOVERED, what="a message is posted again")


@pytest.mark.parametrize("pod", ["mesh/gateway-0", "mesh/user-v1-1", "mesh/chat-1", "mesh/postgres-0", "mesh/nats-0"])
async def test_after_the_kill_of_any_proxy_all_works_again(mesh: Mesh, somebody: Somebody, pod: str) -> None:
    async with recovering(mesh, pod):
        await asyncio.to_thread(mesh.kill_proxy, pod)
    await eventually(lambda: works(somebody), within=Limit.RECOVERED, what="a message is posted again")


@pytest.mark.parametrize("workload", ["mesh/user-v1", "mesh/chat"])
async def test_no_call_fails_during_a_rolling_restart(mesh: Mesh, somebody: Somebody, workload: str) -> None:
    """Reads of users and sends to a room go on while every replica of the workload is replaced."""
    over = asyncio.Event()

    async def load(number: int) -> int:
        calls = 0
        while not over.is_set():
            await somebody.users.GetUser(GetUserRequest(id=somebody.id), metadata=somebody.metadata, timeout=10)
            request = SendMessageRequest(room=f"rolling-{number}", text="on", message_id=uuid.uuid4().hex)
            await somebody.chat.SendMessage(request, metadata=somebody.metadata, timeout=10)
            calls += 1
        return calls

    callers = [asyncio.create_task(load(number)) for number in range(3)]
    try:
        await asyncio.to_thread(mesh.restart, workload)
    finally:
        over.set()
        counts = await asyncio.gather(*callers)
    assert sum(counts) > 0
    assert all(info.ready for info in mesh.pods() if info.name.startswith(workload))


async def test_what_was_acknowledged_survives_the_kill_of_every_store(mesh: Mesh, somebody: Somebody) -> None:
    """Senders go on through the kill; each acknowledged message is in the record exactly once, and none twice."""
    room, over = f"durable-{uuid.uuid4().hex[:8]}", asyncio.Event()

    async def sender(name: str) -> set[str]:
        acknowledged: set[str] = set()
        for number in range(3000):
            if over.is_set():
                break
            text = f"{name}-{number}"
            request = SendMessageRequest(room=room, text=text, message_id=text)
            try:
                await somebody.chat.SendMessage(request, metadata=(*somebody.metadata, ("x-room", name)), timeout=5)
                acknowledged.add(text)
            except grpc.aio.AioRpcError:
                await asyncio.sleep(0.05)
        return acknowledged

    senders = [asyncio.create_task(sender(name)) for name in ("a", "b", "c")]
    for pod in ("mesh/nats-0", "mesh/postgres-0"):
        async with recovering(mesh, pod):
            await asyncio.to_thread(mesh.kill, pod)
    await eventually(lambda: works(somebody), within=Limit.RECOVERED, what="a message is posted again")
    over.set()
    acknowledged = set.union(*await asyncio.gather(*senders))
    texts: list[str] = []
    sequences: list[int] = []
    request = ListMessagesRequest(room=room, page_size=1000)
    while True:
        page = await somebody.chat.ListMessages(request, metadata=somebody.metadata, timeout=10)
        texts += [message.text for message in page.messages]
        sequences += [message.sequence for message in page.messages]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert acknowledged
    assert acknowledged <= set(texts)
    assert len(texts) == len(set(texts))
    assert sequences == list(range(1, len(sequences) + 1))
