"""Servers to call: real grpc.aio ones, with services that keep all in memory and fail as a test says."""

import asyncio
import hashlib
import uuid
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any, Never

import grpc
from google.protobuf import any_pb2, empty_pb2
from google.rpc import error_details_pb2, status_pb2

from clients.channel import Gateway, connect
from protos.chat.v1 import chat_pb2
from protos.chat.v1.chat_pb2_grpc import ChatServiceServicer, add_ChatServiceServicer_to_server
from protos.user.v1 import user_pb2
from protos.user.v1.user_pb2_grpc import UserServiceServicer, add_UserServiceServicer_to_server


@dataclass(frozen=True, slots=True)
class Error:
    """What a call ends with; without a reason it has no details, like a proxy's own errors."""

    code: grpc.StatusCode
    reason: str = ""
    message: str = "scripted"
    violations: tuple[tuple[str, str], ...] = ()
    resume_after: str = ""

    async def abort(self, context: Any) -> Never:
        """Ends the call with it."""
        details = []
        if self.reason:
            metadata = {"resume_after": self.resume_after} if self.resume_after else {}
            info = error_details_pb2.ErrorInfo(reason=self.reason, domain="chat.v1", metadata=metadata)
            details.append(_packed(info))
        if self.violations:
            found = [error_details_pb2.BadRequest.FieldViolation(field=f, description=d) for f, d in self.violations]
            details.append(_packed(error_details_pb2.BadRequest(field_violations=found)))
        status = status_pb2.Status(code=self.code.value[0], message=self.message, details=details)
        trailing = (("grpc-status-details-bin", status.SerializeToString()),) if details else ()
        await context.abort(self.code, self.message, trailing)
        raise AssertionError("abort raises")


AWAY = Error(grpc.StatusCode.UNAVAILABLE)
DRAINING = Error(grpc.StatusCode.UNAVAILABLE, "STREAM_DRAINING")
EXPIRED = Error(grpc.StatusCode.UNAUTHENTICATED, "TOKEN_EXPIRED")


class Moment(Enum):
    """When a stream is to fail."""

    JOINED = "before anything is delivered"
    DELIVERED = "after a delivery"
    RECEIVED = "when a post has come and is not committed"
    COMMITTED = "when a post is committed and not delivered"


@dataclass(frozen=True, slots=True)
class Fault:
    """The end of one stream: at the `count`th such moment."""

    moment: Moment
    error: Error = AWAY
    count: int = 1


class _Failed(Exception):
    """The fault of this stream has come."""


class ScriptedChat(ChatServiceServicer):
    """Rooms and files as the contract says. Each stream fails by the next of `faults`, while there are any."""

    def __init__(self) -> None:
        self.record: dict[str, list[chat_pb2.Message]] = {}
        self.faults: deque[Fault | None] = deque()
        self.joins: list[chat_pb2.ChatRequest] = []
        self.posts_received = 0
        self.replay = 0  # how many messages more than asked for a stream begins with
        self.skip = 0  # how many messages a stream leaves out once
        self.files: dict[str, tuple[bytes, str]] = {}
        self.offsets: list[int] = []
        self.uploads = 0
        self.cut_after_bytes: deque[int] = deque()
        self.refuse_after_bytes = 0
        self.corrupt = False
        self._changed = asyncio.Condition()

    async def commit(self, room: str, text: str, message_id: str, sender: str) -> chat_pb2.Message:
        """Posts as anybody; a known message id is the known message."""
        record = self.record.setdefault(room, [])
        async with self._changed:
            for known in record:
                if known.message_id == message_id:
                    return known
            message = chat_pb2.Message(
                room=room,
                sequence=len(record) + 1,
                message_id=message_id,
                sender_id=sender,
                sender_name=sender,
                text=text,
            )
            message.create_time.GetCurrentTime()
            record.append(message)
            self._changed.notify_all()
        return message

    async def SendMessage(self, request: chat_pb2.SendMessageRequest, context: Any) -> chat_pb2.Message:
        """As the contract says."""
        return await self.commit(request.room, request.text, request.message_id, "sender")

    async def ListMessages(self, request: chat_pb2.ListMessagesRequest, context: Any) -> chat_pb2.ListMessagesResponse:
        """As the contract says; a token is the number of messages already given."""
        if request.room not in self.record:
            await Error(grpc.StatusCode.NOT_FOUND, "ROOM_NOT_FOUND").abort(context)
        begin = int(request.page_token or 0)
        ordered = self.record[request.room][::-1] if request.newest_first else self.record[request.room]
        end = begin + (request.page_size or 100)
        token = str(end) if end < len(ordered) else ""
        return chat_pb2.ListMessagesResponse(messages=ordered[begin:end], next_page_token=token)

    async def Chat(self, request_iterator: Any, context: Any) -> AsyncIterator[chat_pb2.ChatResponse]:
        """As the contract says, until this stream's fault."""
        first = await anext(request_iterator)
        self.joins.append(first)
        script = _Script(self.faults.popleft() if self.faults else None)
        room = first.room or "lobby"
        self.record.setdefault(room, [])
        reading = asyncio.create_task(self._read(request_iterator, room, script))
        try:
            script.pass_by(Moment.JOINED)
            yield chat_pb2.ChatResponse(kind=chat_pb2.ChatResponse.KIND_HEARTBEAT, sequence=first.resume_after)
            async for message in self._messages(room, first.resume_after, script.failed):
                yield chat_pb2.ChatResponse(
                    text=message.text,
                    room=room,
                    message_id=message.message_id,
                    sequence=message.sequence,
                    sender_id=message.sender_id,
                    sender_name=message.sender_name,
                    create_time=message.create_time,
                )
                script.pass_by(Moment.DELIVERED)
        except _Failed:
            assert script.fault is not None
            await script.fault.error.abort(context)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _read(self, requests: Any, room: str, script: "_Script") -> None:
        async for request in requests:
            self.posts_received += 1
            try:
                script.pass_by(Moment.RECEIVED)
                # Set before the commit wakes the writer: nothing is delivered any more.
                commit_fails = script.would_fail(Moment.COMMITTED)
                if commit_fails:
                    script.failed.set()
                await self.commit(room, request.text, request.message_id, "sender")
            except _Failed:
                pass
            if script.failed.is_set():
                async with self._changed:
                    self._changed.notify_all()
                return

    async def _messages(self, room: str, after: int, failed: asyncio.Event) -> AsyncIterator[chat_pb2.Message]:
        cursor = max(0, after - self.replay)
        while True:
            async with self._changed:
                while not failed.is_set() and len(self.record[room]) <= cursor:
                    await self._changed.wait()
            if failed.is_set():
                raise _Failed
            if self.skip:
                cursor, self.skip = cursor + self.skip, 0
            for message in self.record[room][cursor:]:
                cursor = message.sequence
                yield message
                if failed.is_set():
                    raise _Failed

    async def WatchRoom(
        self, request: chat_pb2.WatchRoomRequest, context: Any
    ) -> AsyncIterator[chat_pb2.WatchRoomResponse]:
        """As the contract says, until this stream's fault."""
        if request.room not in self.record:
            await Error(grpc.StatusCode.NOT_FOUND, "ROOM_NOT_FOUND").abort(context)
        script = _Script(self.faults.popleft() if self.faults else None)
        try:
            script.pass_by(Moment.JOINED)
            yield chat_pb2.WatchRoomResponse()
            async for message in self._messages(request.room, request.resume_after, script.failed):
                yield chat_pb2.WatchRoomResponse(messages=[message])
                script.pass_by(Moment.DELIVERED)
        except _Failed:
            assert script.fault is not None
            await script.fault.error.abort(context)

    async def UploadFiles(self, request_iterator: Any, context: Any) -> chat_pb2.UploadFilesResponse:
        """As the contract says; the next of `cut_after_bytes` cuts it."""
        self.uploads += 1
        limit = self.cut_after_bytes.popleft() if self.cut_after_bytes else None
        data, name = b"", ""
        async for request in request_iterator:
            data, name = data + request.data, name or request.name
            if self.refuse_after_bytes and len(data) >= self.refuse_after_bytes:
                await Error(grpc.StatusCode.OUT_OF_RANGE, "FILE_TOO_LARGE").abort(context)
            if limit is not None and len(data) >= limit:
                await AWAY.abort(context)
        file_id = str(uuid.uuid4())
        stored = data[:-1] + b"!" if self.corrupt else data
        self.files[file_id] = (stored, name)
        return chat_pb2.UploadFilesResponse(id=file_id, size=len(stored), sha256=hashlib.sha256(stored).hexdigest())

    async def DownloadFile(
        self, request: chat_pb2.DownloadFileRequest, context: Any
    ) -> AsyncIterator[chat_pb2.DownloadFileResponse]:
        """As the contract says, in small pieces; the next of `cut_after_bytes` cuts it."""
        if request.id not in self.files:
            await Error(grpc.StatusCode.NOT_FOUND, "FILE_NOT_FOUND", "no such file").abort(context)
        self.offsets.append(request.offset)
        data, name = self.files[request.id]
        limit = self.cut_after_bytes.popleft() if self.cut_after_bytes else len(data)
        info: chat_pb2.FileInfo | None = chat_pb2.FileInfo(
            id=request.id, name=name, size=len(data), sha256=hashlib.sha256(data).hexdigest()
        )
        begin, end = request.offset, min(request.offset + limit, len(data))
        sent = data[begin:end] if not self.corrupt else bytes(end - begin)
        for place in range(0, len(sent), 1000) or [0]:
            yield chat_pb2.DownloadFileResponse(data=sent[place : place + 1000], info=info)
            info = None
        if end < len(data):
            await AWAY.abort(context)


class _Script:
    """Where one stream stands on the way to its fault."""

    def __init__(self, fault: Fault | None) -> None:
        self.fault = fault
        self.failed = asyncio.Event()
        self._left = fault.count if fault else 0

    def would_fail(self, moment: Moment) -> bool:
        """Counts the moment; whether it is the one."""
        if self.fault is None or self.fault.moment is not moment:
            return False
        self._left -= 1
        return self._left == 0

    def pass_by(self, moment: Moment) -> None:
        """Raises at the moment of the fault."""
        if self.would_fail(moment):
            self.failed.set()
            raise _Failed


class MemoryUsers(UserServiceServicer):
    """Users as the contract says, as far as the clients need them."""

    def __init__(self) -> None:
        self.users: dict[str, user_pb2.User] = {}  # by folded e-mail, in the order of creation
        self.requests: dict[str, user_pb2.User] = {}
        self.subjects: list[str] = []
        self.tokens: list[str] = []
        self.create_calls = 0
        self.open_calls = 0
        self.most_open_calls = 0
        self.cut_list_after: deque[int] = deque()
        self.refuse: Error | None = None

    async def CreateUser(self, request: user_pb2.CreateUserRequest, context: Any) -> user_pb2.User:
        """Idempotent by request_id, unique by e-mail, refusing what has no @."""
        self.create_calls += 1
        self.tokens.append(dict(context.invocation_metadata()).get("authorization", ""))
        self.open_calls += 1
        self.most_open_calls = max(self.most_open_calls, self.open_calls)
        await asyncio.sleep(0)
        self.open_calls -= 1
        if self.refuse:
            await self.refuse.abort(context)
        if "@" not in request.email:
            violation = (("email", "must be a valid email address"),)
            await Error(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", "bad", violation).abort(context)
        if request.request_id in self.requests:
            return self.requests[request.request_id]
        if request.email.casefold() in self.users:
            await Error(grpc.StatusCode.ALREADY_EXISTS, "EMAIL_TAKEN").abort(context)
        user = user_pb2.User(id=str(uuid.UUID(int=len(self.users) + 1)), name=request.name, email=request.email)
        self.users[request.email.casefold()] = user
        if request.request_id:
            self.requests[request.request_id] = user
        return user

    async def GetUser(self, request: user_pb2.GetUserRequest, context: Any) -> user_pb2.User:
        """By id."""
        for user in self.users.values():
            if user.id == request.id:
                return user
        await Error(grpc.StatusCode.NOT_FOUND, "USER_NOT_FOUND", f"no user has the id {request.id}").abort(context)
        raise AssertionError

    async def BatchGetUsers(
        self, request: user_pb2.BatchGetUsersRequest, context: Any
    ) -> user_pb2.BatchGetUsersResponse:
        """Those that exist."""
        by_id = {user.id: user for user in self.users.values()}
        return user_pb2.BatchGetUsersResponse(users=[by_id[one] for one in request.ids if one in by_id])

    async def UpdateUser(self, request: user_pb2.UpdateUserRequest, context: Any) -> user_pb2.User:
        """By field mask; any etag but `old` is the present one."""
        if request.user.etag == "old":
            await Error(grpc.StatusCode.ABORTED, "ETAG_MISMATCH", "it has changed since").abort(context)
        user = await self.GetUser(user_pb2.GetUserRequest(id=request.user.id), context)
        request.update_mask.MergeMessage(request.user, user)
        return user

    async def DeleteUser(self, request: user_pb2.DeleteUserRequest, context: Any) -> empty_pb2.Empty:
        """By id."""
        user = await self.GetUser(user_pb2.GetUserRequest(id=request.id), context)
        del self.users[user.email.casefold()]
        return empty_pb2.Empty()

    async def ListUsers(self, request: user_pb2.ListUsersRequest, context: Any) -> AsyncIterator[user_pb2.User]:
        """In the order of creation; the next of `cut_list_after` cuts it."""
        cut = self.cut_list_after.popleft() if self.cut_list_after else None
        given = 0
        for user in list(self.users.values()):
            if user.id <= request.after_id or (request.email and user.email.casefold() != request.email.casefold()):
                continue
            if cut is not None and given == cut:
                await AWAY.abort(context)
            yield user
            given += 1
            if request.limit and given == request.limit:
                return


@asynccontextmanager
async def serving(chat: ScriptedChat | None = None, users: MemoryUsers | None = None) -> AsyncIterator[Gateway]:
    """The two services behind one port, and a gateway client that calls them."""
    server = grpc.aio.server()
    add_ChatServiceServicer_to_server(chat or ScriptedChat(), server)
    add_UserServiceServicer_to_server(users or MemoryUsers(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with connect(f"127.0.0.1:{port}", lambda: "a-token") as gateway:
            yield gateway
    finally:
        await server.stop(0)


def _packed(message: Any) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
