"""What was said in a room: pages of ListMessages."""

import grpc

from clients.channel import UNARY_SECONDS, Gateway
from protos.chat.v1.chat_pb2 import ListMessagesRequest, Message

_PAGE = 100


async def last(gateway: Gateway, room: str, count: int) -> list[Message]:
    """The last `count` messages, oldest first. NOT_FOUND if nobody ever joined the room."""
    found: list[Message] = []
    token = ""
    while len(found) < count:
        # The page size may change between pages, the rest may not.
        request = ListMessagesRequest(
            room=room, page_size=min(_PAGE, count - len(found)), page_token=token, newest_first=True
        )
        page = await gateway.chat.ListMessages(request, metadata=gateway.metadata(room), timeout=UNARY_SECONDS)
        found += page.messages
        token = page.next_page_token
        if not token:
            break
    return found[:count][::-1]


async def last_if_any(gateway: Gateway, room: str, count: int) -> list[Message]:
    """As `last`, and none for a room that does not exist yet."""
    try:
        return await last(gateway, room, count)
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.NOT_FOUND:
            return []
        raise
