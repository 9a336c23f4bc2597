"""Who is the sender? Asked of the user service.

Each post asks anew: whoever is deleted cannot post from that moment on. A cache, or one answer for several posts that
wait, would let a deleted user post for as long as the answer is kept.
"""

from dataclasses import dataclass

import grpc.aio

from protos.user.v1 import user_pb2, user_pb2_grpc
from services.common import identity, status
from services.common.errors import InvalidArgument, NotFound, PermissionDenied, Unauthenticated, Unavailable

# At most; the caller's own deadline goes on to the user service too (services.common.channels).
_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Sender:
    """The user for whom the current call speaks."""

    id: str
    name: str


class Users:
    """The user service, as far as chat needs it."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """`channel` gives on the current call's token and deadline."""
        self._stub = user_pb2_grpc.UserServiceStub(channel)

    async def sender(self) -> Sender:
        """The user that the current call's token names, as he or she is now.

        Raises PermissionDenied (SENDER_UNKNOWN) if there is no such user, Unauthenticated if the token has expired
        meanwhile, Unavailable (USERS_UNAVAILABLE) if the user service does not answer.
        """
        subject = identity.current().subject
        try:
            user = await self._stub.GetUser(user_pb2.GetUserRequest(id=subject), timeout=_SECONDS)
        except grpc.aio.AioRpcError as error:
            meant = status.from_call(error)
            if isinstance(meant, NotFound | InvalidArgument):  # a subject that is no UUID is no user either
                raise PermissionDenied(
                    "SENDER_UNKNOWN", "{sender_id} is not, or no longer, a user", sender_id=subject
                ) from None
            if isinstance(meant, Unauthenticated):
                raise Unauthenticated(meant.reason, "the token does not hold any more") from None
            raise Unavailable("USERS_UNAVAILABLE", "the user service is away", retry_after_seconds=1.0) from error
        return Sender(user.id, user.name)
