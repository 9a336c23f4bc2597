"""A message's trace through the mesh: its sender's call down to the database and the broker, and each reader's link."""

import itertools
import secrets
import uuid
from typing import Any

import grpc.aio
import pytest

from protos.chat.v1.chat_pb2 import ChatRequest, SendMessageRequest, WatchRoomRequest
from tests.kit import Limit, eventually
from tests.mesh.backend import Mesh, Refused
from tests.mesh.conftest import Somebody

pytestmark = pytest.mark.local("spans are asked of localmesh")

Span = dict[str, Any]
CHAT = "chat.v1.ChatService"


def spans(mesh: Mesh, trace: str) -> dict[str, Span]:
    """The spans of a trace by name, so far; of those with one name the last, before those without links."""
    try:
        groups = mesh.trace(trace)["resourceSpans"]
    except Refused:
        return {}
    every = [span for group in groups for scope in group["scopeSpans"] for span in scope["spans"]]
    return {span["name"]: span for span in sorted(every, key=lambda span: "links" in span)}


def header(trace: str) -> tuple[str, str]:
    """What makes a call a part of this trace."""
    return ("traceparent", f"00-{trace}-{secrets.token_hex(8)}-01")


def said(span: Span) -> dict[str, str]:
    """Its attributes."""
    return {each["key"]: str(next(iter(each["value"].values()), "")) for each in span["attributes"]}


async def test_a_message_is_in_its_senders_trace_down_to_the_broker_and_its_delivery_links_to_it(
    mesh: Mesh, somebody: Somebody
) -> None:
    """The reader's stream is cancelled in the end: its span ends, with what it carried."""
    reading, room = secrets.token_hex(16), f"room-{uuid.uuid4().hex}"
    senders: set[str] = set()
    read = 1  # the sign of life at its beginning

    async def send() -> None:
        senders.add(trace := secrets.token_hex(16))
        request = SendMessageRequest(room=room, text="hello")
        await somebody.chat.SendMessage(request, metadata=(*somebody.metadata, header(trace)), timeout=20)

    async def delivered() -> Span | None:
        """One more message; a delivery that was read from the record, because the broker lost it, has no link."""
        nonlocal read
        await send()
        await watch.read()
        read += 1
        found = spans(mesh, reading).get("deliver chat.room", {})
        return found if len(found.get("links", ())) == 1 else None

    await send()
    watch: Any = somebody.chat.WatchRoom(WatchRoomRequest(room=room), metadata=(*somebody.metadata, header(reading)))
    await watch.read()
    delivery = await eventually(delivered, within=Limit.STARTED, what="a delivery in the reader's trace")
    assert delivery is not None
    (link,) = delivery["links"]
    assert link["traceId"] in senders
    chain = (f"{CHAT}/SendMessage", "store a message", "commit messages", "INSERT messages")

    def sent() -> dict[str, Span]:
        found = spans(mesh, link["traceId"])
        return found if found.keys() >= {*chain, "publish chat.room", "SELECT users"} else {}

    found = await eventually(sent, what="the sender's trace")
    assert link["spanId"] == found["store a message"]["spanId"]
    for parent, child in (*itertools.pairwise(chain), ("store a message", "publish chat.room")):
        assert found[child]["parentSpanId"] == found[parent]["spanId"], child
    watch.cancel()
    stream = await eventually(lambda: spans(mesh, reading).get(f"{CHAT}/WatchRoom"), what="the stream's span")
    assert stream is not None and delivery["parentSpanId"] == stream["spanId"]
    assert said(stream)["rpc.response.status_code"] == "CANCELLED"
    # Another sign of life may be on its way to the reader who has gone.
    assert (said(stream)["grpc.messages.received"], int(said(stream)["grpc.messages.sent"]) >= read) == ("1", True)


async def test_a_conversation_is_one_span_with_its_messages(mesh: Mesh, somebody: Somebody) -> None:
    """Chat writes and reads its context, as a handler may; each of its posts is below its one span."""
    trace = secrets.token_hex(16)
    call: Any = somebody.chat.Chat(metadata=(*somebody.metadata, header(trace)))
    for text in ("one", "two", "three"):
        await call.write(ChatRequest(room=f"room-{trace}" if text == "one" else "", text=text))
        assert (await call.read()).text == text
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF

    def ended() -> dict[str, Span]:
        found = spans(mesh, trace)
        return found if f"{CHAT}/Chat" in found else {}

    found = await eventually(ended, what="the conversation's trace")
    stream = found[f"{CHAT}/Chat"]
    assert (said(stream)["grpc.messages.received"], said(stream)["grpc.messages.sent"]) == ("3", "3")
    for name in ("store a message", "deliver chat.room"):
        assert found[name]["parentSpanId"] == stream["spanId"]
