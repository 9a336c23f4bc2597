"""From a request to a draft."""

from uuid import uuid4

from protos.chat.v1 import chat_pb2
from services.chat.messages import Draft
from services.chat.users_client import Sender
from services.common.errors import InvalidArgument, Violation


def draft(room: str, sender: Sender, request: chat_pb2.ChatRequest | chat_pb2.SendMessageRequest) -> Draft:
    """What the request posts to the room. Raises InvalidArgument for what PostgreSQL cannot store."""
    no_null(text=request.text, message_id=request.message_id)
    return Draft(
        room=room,
        sender_id=sender.id,
        message_id=request.message_id or str(uuid4()),
        sender_name=sender.name,
        text=request.text,
    )


def no_null(**fields: str) -> None:
    """Raises InvalidArgument if a field holds U+0000: protobuf's strings may, PostgreSQL's may not."""
    violations = [
        Violation(name, "must not hold the character U+0000", "no_null")
        for name, value in fields.items()
        if "\0" in value
    ]
    if violations:
        names = ", ".join(violation.field for violation in violations)
        raise InvalidArgument(
            "REQUEST_INVALID", "the request is not valid: {fields}", violations=violations, fields=names
        )
