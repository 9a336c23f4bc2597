"""The unary calls: SendMessage and ListMessages."""

from protos.chat.v1 import chat_pb2
from services.chat import page_tokens
from services.chat.conversations import no_such_room
from services.chat.drafts import draft
from services.chat.events import RESPONSE_BYTES, to_proto
from services.chat.log import Log
from services.chat.users_client import Users
from services.chat.writer import Writer

DEFAULT_PAGE = 100
LARGEST_PAGE = 1000
_PAST_THE_NEWEST = (1 << 63) - 1


class History:
    """Appends one message, and pages through a room."""

    def __init__(self, *, log: Log, writer: Writer, users: Users) -> None:
        self._log = log
        self._writer = writer
        self._users = users

    async def send(self, request: chat_pb2.SendMessageRequest) -> chat_pb2.Message:
        """SendMessage."""
        sender = await self._users.sender()
        return to_proto(await self._writer.post(draft(request.room, sender, request)))

    async def page(self, request: chat_pb2.ListMessagesRequest) -> chat_pb2.ListMessagesResponse:
        """ListMessages. A page ends early where it would be too large for a response (AIP-158 allows fewer)."""
        newest_first = request.newest_first
        position = _PAST_THE_NEWEST if newest_first else 0
        if request.page_token:
            position = page_tokens.decode(request.page_token, request.room, newest_first=newest_first)
        size = min(request.page_size or DEFAULT_PAGE, LARGEST_PAGE)
        read = self._log.before if newest_first else self._log.after
        found = await read(request.room, position, size + 1)
        if not found and await self._log.head(request.room) is None:
            raise no_such_room(request.room)
        response = chat_pb2.ListMessagesResponse()
        length = 0
        for message in found[:size]:
            element = to_proto(message)
            length += element.ByteSize()
            if response.messages and length > RESPONSE_BYTES:
                break
            response.messages.append(element)
        if len(response.messages) < len(found):
            last = response.messages[-1].sequence
            response.next_page_token = page_tokens.encode(request.room, newest_first=newest_first, position=last)
        return response
