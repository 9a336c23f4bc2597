"""The contract of user.v1, method by method, against a real server and database."""

import asyncio
import uuid
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf import field_mask_pb2

from protos.user.v1 import user_pb2
from services.common import status
from services.common.errors import DomainError
from services.common.settings import DatabaseSettings
from services.user.store import _page
from services.user.users import Selection
from tests.services.user.conftest import Serve, Served


async def _failed(call: Any) -> tuple[grpc.StatusCode, DomainError]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), status.from_call(caught.value)


async def _create(served: Served, name: str, **fields: Any) -> user_pb2.User:
    fields.setdefault("email", f"{name}@example.org")
    user: user_pb2.User = await served.stub.CreateUser(
        user_pb2.CreateUserRequest(name=name, **fields), metadata=served.bearer
    )
    return user


def _update(served: Served, *paths: str, **user: Any) -> Any:
    request = user_pb2.UpdateUserRequest(user=user_pb2.User(**user), update_mask=field_mask_pb2.FieldMask(paths=paths))
    return served.stub.UpdateUser(request, metadata=served.bearer)


def _list(served: Served, **fields: Any) -> Any:
    return served.stub.ListUsers(user_pb2.ListUsersRequest(**fields), metadata=served.bearer)


async def _names(served: Served, **fields: Any) -> list[str]:
    return [user.name async for user in _list(served, **fields)]


async def test_a_user_is_made_and_read(replica: Served) -> None:
    """With an id of version 7, times and an etag."""
    made = await _create(replica, "Ada", email="Ada@Example.org")
    assert uuid.UUID(made.id).version == 7
    assert made.create_time == made.update_time and made.create_time.seconds > 0 and made.etag
    assert await replica.stub.GetUser(user_pb2.GetUserRequest(id=made.id), metadata=replica.bearer) == made
    assert made.email == "Ada@Example.org"


async def test_an_unknown_user_is_not_found(replica: Served) -> None:
    """With a ResourceInfo."""
    missing = str(uuid.uuid4())
    for method, request in (
        (replica.stub.GetUser, user_pb2.GetUserRequest(id=missing)),
        (replica.stub.DeleteUser, user_pb2.DeleteUserRequest(id=missing)),
    ):
        code, error = await _failed(method(request, metadata=replica.bearer))
        assert code is grpc.StatusCode.NOT_FOUND
        assert (error.reason, error.values) == ("USER_NOT_FOUND", {"id": missing})
        assert error.resource is not None and error.resource.name == missing
    code, _ = await _failed(_update(replica, "name", id=missing, name="x"))
    assert code is grpc.StatusCode.NOT_FOUND


async def test_an_email_is_unique_whatever_its_case(replica: Served) -> None:
    """On creation and on update; one's own is no conflict."""
    ada, bob = await _create(replica, "ada", email="Ada@example.org"), await _create(replica, "bob")
    code, error = await _failed(_create(replica, "eve", email="aDA@EXAMPLE.org"))
    assert (code, error.reason) == (grpc.StatusCode.ALREADY_EXISTS, "EMAIL_TAKEN")
    code, _ = await _failed(_update(replica, "email", id=bob.id, email="ADA@example.org"))
    assert code is grpc.StatusCode.ALREADY_EXISTS
    assert (await _update(replica, "email", id=ada.id, email="ada@example.org")).email == "ada@example.org"


async def test_a_repeated_request_is_one_user(replica: Served) -> None:
    """The same request_id returns what the first made, also after that was changed; other fields are refused."""
    request_id = str(uuid.uuid4())
    made = await _create(replica, "ada", request_id=request_id)
    assert await _create(replica, "ada", request_id=request_id.upper()) == made
    changed = await _update(replica, "name", id=made.id, name="Ada L.")
    assert await _create(replica, "ada", request_id=request_id) == changed
    for fields in ({"name": "eve", "email": "ada@example.org"}, {"name": "ada", "email": "eve@example.org"}):
        code, error = await _failed(_create(replica, request_id=request_id, **fields))
        assert (code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED")
        assert [one.field for one in error.violations] == ["request_id"]
    assert len(await _names(replica)) == 1


async def test_racing_repeats_on_several_replicas_are_one_user(
    serve: Serve, replica: Served, database_settings: DatabaseSettings
) -> None:
    """Whoever commits first, all get the same answer."""
    async with serve(database_settings) as other:
        for _ in range(20):
            request_id = str(uuid.uuid4())
            name = f"u{request_id[:8]}"
            made = await asyncio.gather(
                *(_create((replica, other)[n % 2], name, request_id=request_id) for n in range(8))
            )
            assert len({user.id for user in made}) == 1
    assert len(await _names(replica)) == 20


async def test_racing_creations_of_one_email_make_one_user(replica: Served) -> None:
    """Without a request_id, and with different ones: the others are told."""
    for ids in (["", "", "", ""], [str(uuid.uuid4()) for _ in range(4)]):
        email = f"{uuid.uuid4()}@example.org"
        made = await asyncio.gather(
            *(_create(replica, "ada", email=email, request_id=id_) for id_ in ids), return_exceptions=True
        )
        failed = [one for one in made if isinstance(one, grpc.aio.AioRpcError)]
        assert [one.code() for one in failed] == [grpc.StatusCode.ALREADY_EXISTS] * 3


async def test_a_racing_repeat_with_other_fields_makes_nothing(replica: Served) -> None:
    """One of the two wins; the other is refused and leaves no user."""
    for _ in range(10):
        request_id = str(uuid.uuid4())
        made = await asyncio.gather(
            *(_create(replica, f"{who}{request_id[:8]}", request_id=request_id) for who in "ab"), return_exceptions=True
        )
        failed = [one for one in made if isinstance(one, grpc.aio.AioRpcError)]
        assert [one.code() for one in failed] == [grpc.StatusCode.INVALID_ARGUMENT]
    assert len(await _names(replica)) == 10


async def test_after_deletion_a_request_id_makes_anew(replica: Served) -> None:
    """And the e-mail is free again."""
    request_id = str(uuid.uuid4())
    made = await _create(replica, "ada", request_id=request_id)
    await replica.stub.DeleteUser(user_pb2.DeleteUserRequest(id=made.id, etag=made.etag), metadata=replica.bearer)
    again = await _create(replica, "ada", request_id=request_id)
    assert again.id != made.id


async def test_validate_only_checks_and_stores_nothing(replica: Served) -> None:
    """The same refusals, a user without an id."""
    checked = await _create(replica, "ada", validate_only=True)
    assert (checked.name, checked.id, checked.etag) == ("ada", "", "")
    assert await _names(replica) == []
    request_id = str(uuid.uuid4())
    await _create(replica, "ada", request_id=request_id)
    code, _ = await _failed(_create(replica, "ada", validate_only=True))
    assert code is grpc.StatusCode.ALREADY_EXISTS
    await _create(replica, "ada", request_id=request_id, validate_only=True)
    code, _ = await _failed(_create(replica, "bob", request_id=request_id, validate_only=True))
    assert code is grpc.StatusCode.INVALID_ARGUMENT


async def test_an_update_changes_what_its_mask_names(replica: Served) -> None:
    """An empty mask means both; every update has a new etag and a later time."""
    made = await _create(replica, "ada")
    renamed = await _update(replica, "name", id=made.id, name="Ada", email="ignored@example.org")
    assert (renamed.name, renamed.email) == ("Ada", made.email)
    assert renamed.etag != made.etag and renamed.create_time == made.create_time
    assert renamed.update_time.ToNanoseconds() > made.update_time.ToNanoseconds()
    both = await _update(replica, id=made.id, name="Bob", email="bob@example.org")
    assert (both.name, both.email) == ("Bob", "bob@example.org")
    assert await _names(replica, name_prefix="bO") == ["Bob"]


async def test_a_stale_etag_aborts(replica: Served) -> None:
    """Of two writers who read the same, one wins; a delete asks the same."""
    made = await _create(replica, "ada")
    answers = await asyncio.gather(
        *(_update(replica, "name", id=made.id, name=f"ada-{n}", etag=made.etag) for n in range(4)),
        return_exceptions=True,
    )
    failed = [one for one in answers if isinstance(one, grpc.aio.AioRpcError)]
    assert [one.code() for one in failed] == [grpc.StatusCode.ABORTED] * 3
    assert status.from_call(failed[0]).reason == "ETAG_MISMATCH"
    for etag in (made.etag, "nonsense"):
        delete = user_pb2.DeleteUserRequest(id=made.id, etag=etag)
        code, _ = await _failed(replica.stub.DeleteUser(delete, metadata=replica.bearer))
        assert code is grpc.StatusCode.ABORTED


@pytest.mark.parametrize(
    ("paths", "user", "fields"),
    [
        (("nickname",), {"name": "x"}, {"update_mask"}),
        (("name",), {"name": ""}, {"user.name"}),
        (("name",), {"name": "x" * 101}, {"user.name"}),
        (("name",), {"name": "a\0b"}, {"user.name"}),
        (("email",), {"email": "nonsense"}, {"user.email"}),
        ((), {"name": "", "email": ""}, {"user.name", "user.email"}),
        (("name",), {"id": "nonsense", "name": "x"}, {"user.id"}),
    ],
)
async def test_an_update_that_breaks_the_bounds_is_refused(
    replica: Served, paths: tuple[str, ...], user: dict[str, str], fields: set[str]
) -> None:
    """By the same rules as a creation, with the field's place in this request; nothing is changed."""
    made = await _create(replica, "ada")
    code, error = await _failed(_update(replica, *paths, **{"id": made.id, **user}))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert {one.field for one in error.violations} == fields
    assert await replica.stub.GetUser(user_pb2.GetUserRequest(id=made.id), metadata=replica.bearer) == made


async def test_an_update_without_a_user_is_refused(replica: Served) -> None:
    """The contract's own rule."""
    call = replica.stub.UpdateUser(user_pb2.UpdateUserRequest(), metadata=replica.bearer)
    code, error = await _failed(call)
    assert (code, error.violations[0].field) == (grpc.StatusCode.INVALID_ARGUMENT, "user")


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"name": "x" * 101},
        {"name": "a\x07"},
        {"email": "x"},
        {"email": "x" * 250 + "@a.org"},
        {"request_id": "1"},
    ],
)
async def test_a_creation_that_breaks_the_bounds_is_refused(replica: Served, fields: dict[str, str]) -> None:
    """And stores nothing."""
    code, error = await _failed(_create(replica, **{"name": "ada", "email": "a@b.org", **fields}))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert [one.field for one in error.violations] == list(fields)
    assert await _names(replica) == []


async def test_a_batch_keeps_the_order_and_leaves_out_the_unknown(replica: Served) -> None:
    """By one query."""
    made = [await _create(replica, f"u{number}") for number in range(4)]
    ids = [made[2].id, str(uuid.uuid4()), made[0].id.upper(), made[3].id]
    request = user_pb2.BatchGetUsersRequest(ids=ids)
    found = (await replica.stub.BatchGetUsers(request, metadata=replica.bearer)).users
    assert list(found) == [made[2], made[0], made[3]]
    for bad in ([], [str(uuid.uuid4())] * 1001):
        code, _ = await _failed(
            replica.stub.BatchGetUsers(user_pb2.BatchGetUsersRequest(ids=bad), metadata=replica.bearer)
        )
        assert code is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_refusal_that_has_much_to_say_still_arrives(replica: Served) -> None:
    """A batch of nothing but wrong ids, a mask with endless paths: trailers are limited on the way."""
    for call in (
        replica.stub.BatchGetUsers(user_pb2.BatchGetUsersRequest(ids=["x"] * 1000), metadata=replica.bearer),
        _update(replica, *["é" * 10_000] * 20, id=str(uuid.uuid4())),
    ):
        code, error = await _failed(call)
        assert (code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID")
        assert error.violations


async def test_a_list_is_in_the_order_of_creation_and_can_be_resumed(replica: Served) -> None:
    """From any id, also of a user who is gone; a limit limits."""
    made = [await _create(replica, f"u{number}") for number in range(5)]
    assert await _names(replica) == [user.name for user in made]
    assert await _names(replica, after_id=made[1].id, limit=2) == ["u2", "u3"]
    await replica.stub.DeleteUser(user_pb2.DeleteUserRequest(id=made[1].id), metadata=replica.bearer)
    assert await _names(replica, after_id=made[1].id) == ["u2", "u3", "u4"]


async def test_a_list_can_be_filtered(replica: Served) -> None:
    """By the beginning of the name and by e-mail, whatever the case; characters of patterns mean themselves."""
    for name in ("Ada", "adam", "Bob", "a%", "a_b"):
        await _create(replica, name, email=f"{name.strip('%').lower()}{len(name)}@example.org")
    assert await _names(replica, name_prefix="aD") == ["Ada", "adam"]
    assert await _names(replica, name_prefix="a%") == ["a%"]
    assert await _names(replica, name_prefix="A_") == ["a_b"]
    assert await _names(replica, email="ADA3@example.org") == ["Ada"]
    assert await _names(replica, email="ADA3@example.org", name_prefix="b") == []
    for fields in ({"limit": -1}, {"after_id": "x"}, {"name_prefix": "\0"}):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await _names(replica, **fields)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_long_list_is_whole_and_ends_itself_on_a_drain(replica: Served) -> None:
    """Over many batches; what a drain cuts goes on from resume_after without a loss or a repeat."""
    async with replica.database.connection() as connection:
        await connection.execute(
            "insert into users (name, email, name_key, email_key)"
            " select 'n' || i, 'e' || i || '@x.org', 'n' || i, 'e' || i || '@x.org' from generate_series(1, 20000) i"
        )
    seen: list[str] = []
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for user in _list(replica):
            seen.append(user.id)
            if len(seen) == 10:
                replica.drain.begin()
    error = status.from_call(caught.value)
    assert (error.reason, error.values["resume_after"]) == ("STREAM_DRAINING", seen[-1])
    assert len(seen) < 20000
    async with replica.database.connection() as connection:
        ids = [str(row["id"]) for row in await connection.fetch("select id from users order by id")]
    rest = replica.store.each(Selection(after_id=uuid.UUID(seen[-1])), None)
    assert seen + [str(user.id) async for user in rest] == ids


async def test_a_slow_reader_holds_one_batch_and_no_connection(replica: Served) -> None:
    """The list waits for its reader, in bounded memory, and the pool stays free for others."""
    async with replica.database.connection() as connection:
        await connection.execute(
            "insert into users (name, email, name_key, email_key) select repeat('x', 100), 'e' || i || '@x.org',"
            " repeat('x', 100), 'e' || i || '@x.org' from generate_series(1, 60000) i"
        )
    calls = [_list(replica) for _ in range(20)]
    for call in calls:
        await call.read()
    async with replica.database.connection() as connection:
        assert await connection.fetchval("select count(*) from users") == 60000
    sent = replica.stub.GetUser(user_pb2.GetUserRequest(id=str(uuid.uuid4())), metadata=replica.bearer)
    code, _ = await _failed(sent)
    assert code is grpc.StatusCode.NOT_FOUND
    for call in calls:
        call.cancel()


async def test_filters_use_their_indexes(replica: Served) -> None:
    """At any size: the plan of each kind of list names an index."""
    async with replica.database.transaction() as connection:
        await connection.execute("set local enable_seqscan = off")
        for selection, index in (
            (Selection(), "users_pkey"),
            (Selection(name_prefix="ada"), "users_name_key"),
            (Selection(email="a@b.org"), "users_email_key"),
        ):
            query, values = _page(selection, uuid.UUID(int=0), 500)
            if index == "users_name_key":
                await connection.execute("set local enable_indexscan = off")
            plan = "\n".join(row[0] for row in await connection.fetch(f"explain {query}", *values))
            assert index in plan, plan
            await connection.execute("set local enable_indexscan = on")
