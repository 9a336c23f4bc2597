"""The contract's bounds hold before the handler runs."""

import grpc
import grpc.aio
import pytest

from protos.user.v1 import user_pb2
from services.common import status
from services.common.errors import InvalidArgument
from services.common.interceptors.validation import check
from tests.services.common.conftest import Serve
from tests.services.common.echo import KINDS, METHODS, NAME, finish, start

HEALTH = {"unary": "Check", "server_stream": "Watch"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("messages", [1, 2])
async def test_each_request_message_is_checked(serve: Serve, style: str, kind: str, messages: int) -> None:
    """The later ones of a stream too."""
    too_long = "x" * 300
    async with serve(style=style) as served:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await finish(start(served.stub, kind, too_long, metadata=served.bearer, messages=messages))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    (violation,) = status.from_call(caught.value).violations
    assert violation.field == ("name" if kind == "client_stream" else "room")
    assert violation.reason.startswith("string.")


@pytest.mark.parametrize(
    ("service", "kind"), [*((NAME, kind) for kind in KINDS), *(("grpc.health.v1.Health", kind) for kind in HEALTH)]
)
async def test_bytes_that_are_no_message_are_refused_with_details_and_counted(
    serve: Serve, style: str, service: str, kind: str
) -> None:
    """Not as UNKNOWN with the name of a Python exception."""
    name = (METHODS if service == NAME else HEALTH)[kind]
    sides = {"unary": "unary_unary", "server_stream": "unary_stream", "client_stream": "stream_unary"}
    async with serve(style=style) as served:
        method = getattr(served.channel, sides.get(kind, "stream_stream"))(f"/{service}/{name}")
        garbage = b"\xff\xff\xff\xff"
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await finish(method(garbage if "unary_" in sides.get(kind, "") else [garbage], metadata=served.bearer))
        counted = served.metric(
            "grpc_server_handled_total",
            grpc_type=kind,
            grpc_service=service,
            grpc_method=name,
            grpc_code="InvalidArgument",
        )
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert status.from_call(caught.value).reason == "REQUEST_UNREADABLE"
    assert counted == 1


def test_a_violation_names_its_place() -> None:
    """A path with the index, and the rule that is broken."""
    ids = ["019353a0-0000-7000-8000-000000000000", "nonsense"]
    with pytest.raises(InvalidArgument) as caught:
        check(user_pb2.BatchGetUsersRequest(ids=ids))
    (violation,) = caught.value.violations
    assert (violation.field, violation.reason) == ("ids[1]", "string.uuid")
    assert caught.value.values == {"fields": "ids[1]"}


def test_all_violations_are_told_at_once() -> None:
    """Not the first only."""
    with pytest.raises(InvalidArgument) as caught:
        check(user_pb2.CreateUserRequest(name="", email="x", request_id="y"))
    assert {one.field for one in caught.value.violations} == {"name", "email", "request_id"}
