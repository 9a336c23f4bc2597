"""user.v1.UserService: protobuf in, protobuf out. The rules are in `users`, the SQL in `store`."""

import uuid
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from google.protobuf import empty_pb2, timestamp_pb2

from protos.user.v1 import user_pb2, user_pb2_grpc
from services.common.drain import Drain
from services.common.errors import InvalidArgument, Violation
from services.common.interceptors.validation import check
from services.user import users
from services.user.store import UserStore
from services.user.users import Change, NewUser, Selection, User

NAME = user_pb2.DESCRIPTOR.services_by_name["UserService"].full_name


class UserService(user_pb2_grpc.UserServiceServicer):
    """Each method as the contract says; requests that break its rules do not come here (interceptors.validation)."""

    def __init__(self, store: UserStore, drain: Drain) -> None:
        self._store = store
        self._drain = drain

    async def GetUser(self, request: user_pb2.GetUserRequest, context: Any) -> user_pb2.User:
        """One user."""
        return message(await self._store.get(uuid.UUID(request.id)))

    async def BatchGetUsers(
        self, request: user_pb2.BatchGetUsersRequest, context: Any
    ) -> user_pb2.BatchGetUsersResponse:
        """Those that exist, in the order asked."""
        found = await self._store.get_all([uuid.UUID(id_) for id_ in request.ids])
        return user_pb2.BatchGetUsersResponse(users=map(message, found))

    async def CreateUser(self, request: user_pb2.CreateUserRequest, context: Any) -> user_pb2.User:
        """A new user, or the one that the same request_id made before."""
        new = NewUser(
            name=users.printable("name", request.name),
            email=request.email,
            request_id=uuid.UUID(request.request_id) if request.request_id else None,
        )
        if request.validate_only:
            if await self._store.created_by(new) is None and await self._store.has_email(new.email):
                raise users.email_taken(new.email)
            return user_pb2.User(name=new.name, email=new.email)
        return message(await self._store.create(new))

    async def UpdateUser(self, request: user_pb2.UpdateUserRequest, context: Any) -> user_pb2.User:
        """The user after the change."""
        fields = users.changed_fields(request.update_mask.paths)
        _check_change(request.user, fields)
        change = Change(
            id=uuid.UUID(request.user.id),
            name=users.printable("user.name", request.user.name) if "name" in fields else None,
            email=request.user.email if "email" in fields else None,
            version=users.version_of(request.user.etag),
        )
        return message(await self._store.update(change))

    async def DeleteUser(self, request: user_pb2.DeleteUserRequest, context: Any) -> empty_pb2.Empty:
        """Nothing, once the user is gone."""
        await self._store.delete(uuid.UUID(request.id), users.version_of(request.etag))
        return empty_pb2.Empty()

    async def ListUsers(self, request: user_pb2.ListUsersRequest, context: Any) -> AsyncIterator[user_pb2.User]:
        """The users selected; ended by us, with the last id, when the process drains or the stream is too old."""
        selection = Selection(
            after_id=uuid.UUID(request.after_id) if request.after_id else None,
            name_prefix=users.printable("name_prefix", request.name_prefix),
            email=users.printable("email", request.email),
        )
        last = request.after_id
        with self._drain.life() as life:
            async for user in self._store.each(selection, request.limit or None):
                if life.over:
                    raise life.ended(resume_after=last)
                yield message(user)
                last = str(user.id)


def _check_change(user: user_pb2.User, fields: tuple[str, ...]) -> None:
    """What the contract says of a new user's fields holds for changed ones: asked of its rules, not written again."""
    violations: list[Violation] = []
    probe = user_pb2.CreateUserRequest(name="a", email="a@example.org")
    for field in fields:
        setattr(probe, field, getattr(user, field))
    for message in (user_pb2.GetUserRequest(id=user.id), probe):
        try:
            check(message)
        except InvalidArgument as error:
            violations.extend(Violation(f"user.{one.field}", one.description, one.reason) for one in error.violations)
    if violations:
        raise users.invalid(*violations)


def message(user: User) -> user_pb2.User:
    """A user as the contract tells of one."""
    return user_pb2.User(
        id=str(user.id),
        name=user.name,
        email=user.email,
        create_time=_timestamp(user.created_at),
        update_time=_timestamp(user.updated_at),
        etag=user.etag,
    )


def _timestamp(moment: datetime) -> timestamp_pb2.Timestamp:
    timestamp = timestamp_pb2.Timestamp()
    timestamp.FromDatetime(moment)
    return timestamp
