"""Who the current call speaks for: set by the auth interceptor, read by handlers and by the client side."""

from contextvars import ContextVar
from dataclasses import dataclass

from services.common.errors import Unauthenticated


@dataclass(frozen=True, slots=True)
class Identity:
    """A caller whose token was verified. `subject` is a user's id; `token` is kept out of repr and of logs."""

    subject: str
    token: str
    expires_at: float  # seconds since the epoch

    def __repr__(self) -> str:
        """Without the token."""
        return f"Identity(subject={self.subject!r})"


# grpc.aio runs each call in a task of its own, so a value set in one call is seen by that call alone.
_current: ContextVar[Identity | None] = ContextVar("identity", default=None)


def current() -> Identity:
    """The caller of the current call. Raises Unauthenticated where there is none (health and reflection)."""
    identity = _current.get()
    if identity is None:
        raise Unauthenticated("TOKEN_MISSING", "the call has no bearer token")
    return identity


def current_or_none() -> Identity | None:
    """The caller of the current call, if there is one."""
    return _current.get()


def set_current(identity: Identity) -> None:
    """Says who the current call speaks for, until it ends."""
    _current.set(identity)
