"""How calls end: with a status and details whatever happens, never as OK by mistake."""

from typing import Any

import grpc
import grpc.aio
import pytest
from google.rpc import error_details_pb2, status_pb2

from services.common import status
from services.common.errors import NotFound, Resource
from tests.services.common.conftest import Serve
from tests.services.common.echo import KINDS, SECRET, finish, start


async def _failed(call: object) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await finish(call)
    return caught.value


@pytest.mark.parametrize("kind", KINDS)
async def test_a_domain_error_reaches_the_client_with_its_details(serve: Serve, style: str, kind: str) -> None:
    """Code, reason, domain, values and resource, for each kind of call and style of handler."""
    async with serve(style=style) as served:
        error = await _failed(start(served.stub, kind, "missing", metadata=served.bearer))
    assert error.code() is grpc.StatusCode.NOT_FOUND
    meant = status.from_call(error)
    assert isinstance(meant, NotFound)
    assert (meant.reason, meant.values, meant.resource) == ("THING_NOT_FOUND", {"thing": "x"}, Resource("t", "x"))
    packed = dict(error.trailing_metadata())[status.DETAILS_KEY]
    info = error_details_pb2.ErrorInfo()
    status_pb2.Status.FromString(packed).details[0].Unpack(info)
    assert info.domain == "chat.v1"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("command", ["fail", "cancel"])
async def test_a_bug_is_internal_and_tells_nothing(serve: Serve, style: str, kind: str, command: str) -> None:
    """An unexpected exception, and a cancellation from within, which grpc.aio alone would never answer."""
    async with serve(style=style) as served:
        error = await _failed(start(served.stub, kind, command, metadata=served.bearer, timeout=5))
    assert error.code() is grpc.StatusCode.INTERNAL
    assert status.from_call(error).reason == "INTERNAL"
    assert SECRET not in f"{error.details()}{error.debug_error_string()}{error.trailing_metadata()}"
    assert "Traceback" not in str(error.details())


@pytest.mark.parametrize("kind", KINDS)
async def test_an_abort_by_hand_stays_what_it_is(serve: Serve, kind: str) -> None:
    """grpc.aio.AbortError is not an unexpected exception."""
    async with serve() as served:
        error = await _failed(start(served.stub, kind, "abort", metadata=served.bearer))
    assert (error.code(), error.details()) == (grpc.StatusCode.ABORTED, "by hand")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_response_says_which_replica_gave_it(serve: Serve, style: str, kind: str) -> None:
    """So that clients can count a canary's share: a stream at its beginning, a single response in its trailers."""
    async with serve(style=style) as served:
        call = start(served.stub, kind, metadata=served.bearer)
        await finish(call)
        streams = kind in {"server_stream", "bidi_stream"}
        headers = dict(await (call.initial_metadata() if streams else call.trailing_metadata()))
    assert (headers["x-pod"], headers["x-version"]) == ("pod-0", "v1")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_failure_before_the_first_response_is_trailers_only(serve: Serve, style: str, kind: str) -> None:
    """Nothing was sent before it, so that a proxy can still retry; the replica is named in the trailers."""
    async with serve(style=style) as served:
        error = await _failed(start(served.stub, kind, "missing", metadata=served.bearer))
    assert not list(error.initial_metadata())
    assert dict(error.trailing_metadata())["x-pod"] == "pod-0"


async def test_an_unknown_method_is_unimplemented(serve: Serve) -> None:
    """To everybody, also without a token: it says nothing of the contract."""
    async with serve() as served:
        method: Any = served.channel.unary_unary("/chat.v1.ChatService/Nothing")
        error = await _failed(method(b""))
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_an_oversized_message_is_refused_and_the_server_lives(serve: Serve) -> None:
    """RESOURCE_EXHAUSTED past 4 MiB."""
    async with serve() as served, grpc.aio.insecure_channel(served.settings.grpc_listen) as channel:
        send: Any = channel.unary_unary("/chat.v1.ChatService/SendMessage")
        error = await _failed(send(b"\0" * (4 * 1024 * 1024 + 1), metadata=served.bearer))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        await finish(start(served.stub, "unary", metadata=served.bearer))
