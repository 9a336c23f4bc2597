"""What can go wrong in a service, in words that know no gRPC; `status` holds what each becomes on the wire.

An error is a stable `reason` and a message template. Whatever varies is named in the template and given by keyword, so
each dynamic value of a message is also in ErrorInfo.metadata, as AIP-193 asks:

    raise NotFound("USER_NOT_FOUND", "no user has the id {id}", resource=Resource("user.v1.User", id), id=id)

Values reach the caller: never put SQL, a secret or another user's data into one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """What is wrong with one field of a request; `field` is a path such as `user.email` or `ids[2]`."""

    field: str
    description: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Resource:
    """What an error is about: a type such as `user.v1.User`, and its name."""

    type: str
    name: str


class DomainError(Exception):
    """The base of all. `values` are the dynamic parts of the message, as text."""

    def __init__(
        self,
        reason: str,
        template: str,
        /,
        *,
        violations: Sequence[Violation] = (),
        resource: Resource | None = None,
        retry_after_seconds: float | None = None,
        **values: object,
    ) -> None:
        """`reason` is UPPER_SNAKE_CASE and stable; `retry_after_seconds` becomes a RetryInfo."""
        self.reason = reason
        self.values: Mapping[str, str] = {key: str(value) for key, value in values.items()}
        self.message = template.format_map(self.values)
        self.violations = tuple(violations)
        self.resource = resource
        self.retry_after_seconds = retry_after_seconds
        super().__init__(f"{reason}: {self.message}")


class InvalidArgument(DomainError):
    """The request is wrong whatever the state; repeating it cannot help."""


class Unauthenticated(DomainError):
    """Nobody proved who calls."""


class PermissionDenied(DomainError):
    """The caller is known and may not do this."""


class NotFound(DomainError):
    """What the request names does not exist."""


class AlreadyExists(DomainError):
    """What the request would make exists."""


class Aborted(DomainError):
    """Somebody else changed it meanwhile: read again, then try again."""


class FailedPrecondition(DomainError):
    """The state forbids it; repeating it cannot help until the state is changed."""


class OutOfRange(DomainError):
    """Past the end of something."""


class ResourceExhausted(DomainError):
    """Too much: of a quota, of memory, of waiting events."""


class DeadlineExceeded(DomainError):
    """The time for it is over."""


class Cancelled(DomainError):
    """The caller gave it up."""


class Unavailable(DomainError):
    """Something needed is away for now: repeating it may help."""


class Unimplemented(DomainError):
    """There is no such method."""


class Internal(DomainError):
    """A bug of ours."""


class DataLoss(DomainError):
    """What was stored cannot be read back."""


class StreamEnded(Unavailable):
    """The server ends a stream itself. Reconnect at once and go on after `resume_after`."""

    def __init__(self, reason: str, resume_after: str) -> None:
        """`reason` is STREAM_DRAINING or STREAM_MAX_AGE; `resume_after` what the contract says resumes the stream."""
        super().__init__(
            reason,
            "this replica ends the stream; go on after {resume_after!r}",
            retry_after_seconds=0.0,
            resume_after=resume_after,
        )


def stores_away(store: str, retry_after_seconds: float = 1.0) -> Unavailable:
    """The error for a store that does not answer; `store` is a word such as `database`."""
    return Unavailable("STORE_UNAVAILABLE", "the {store} is away", retry_after_seconds=retry_after_seconds, store=store)
