"""The rules of users, pure: no protobuf, no SQL, no clock."""

import unicodedata
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from services.common.errors import Aborted, AlreadyExists, InvalidArgument, NotFound, Resource, Violation

TYPE = "user.v1.User"
CHANGEABLE = ("name", "email")


@dataclass(frozen=True, slots=True)
class User:
    """One user as it is stored. `version` rises with every change."""

    id: uuid.UUID
    name: str
    email: str
    created_at: datetime
    updated_at: datetime
    version: int

    @property
    def etag(self) -> str:
        """Opaque to clients (AIP-154)."""
        return str(self.version)


@dataclass(frozen=True, slots=True)
class NewUser:
    """What a user is made from; a `request_id` makes the making idempotent (AIP-155)."""

    name: str
    email: str
    request_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """New values of one user, None where it stays as it is; only if it still has this `version`, if one is given."""

    id: uuid.UUID
    name: str | None = None
    email: str | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """Which users to list: after this id, and of each filter that is not empty."""

    after_id: uuid.UUID | None = None
    name_prefix: str = ""
    email: str = ""


def key(text: str) -> str:
    """What is compared where case does not count; also two spellings of one character (é) count as one."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def printable(field: str, text: str) -> str:
    """The text. Raises InvalidArgument if it holds control characters: no name needs them, a terminal obeys them."""
    if any(unicodedata.category(character) == "Cc" for character in text):
        raise invalid(Violation(field, "must not contain control characters", "text.printable"))
    return text


def changed_fields(mask: Collection[str]) -> tuple[str, ...]:
    """The fields that an update mask names; empty and `*` mean all (AIP-134). Raises InvalidArgument for others."""
    if not mask or tuple(mask) == ("*",):
        return CHANGEABLE
    unknown = [path for path in mask if path not in CHANGEABLE]
    if unknown:
        raise invalid(
            *(Violation("update_mask", f"{path!r} is not among name, email", "mask.path") for path in unknown)
        )
    return tuple(field for field in CHANGEABLE if field in mask)


def version_of(etag: str) -> int | None:
    """The version that an etag stands for; None if there is no etag, 0, which no user has, if it is none of ours."""
    if not etag:
        return None
    ours = etag.isascii() and etag.isdecimal() and len(etag) <= 18
    return int(etag) if ours else 0


def invalid(*violations: Violation) -> InvalidArgument:
    """The error for fields that are not valid; the same words as the contract's own rules get."""
    fields = ", ".join(sorted({violation.field for violation in violations}))
    return InvalidArgument(
        "REQUEST_INVALID", "the request is not valid: {fields}", violations=violations, fields=fields
    )


def not_found(id_: uuid.UUID) -> NotFound:
    """The error for an id that no user has."""
    return NotFound("USER_NOT_FOUND", "there is no user {id}", resource=Resource(TYPE, str(id_)), id=id_)


def email_taken(email: str) -> AlreadyExists:
    """The error for an e-mail that another user has."""
    return AlreadyExists(
        "EMAIL_TAKEN", "another user has the e-mail {email}", resource=Resource(TYPE, email), email=email
    )


def stale(id_: uuid.UUID) -> Aborted:
    """The error for an etag that is not the user's present one."""
    return Aborted("ETAG_MISMATCH", "user {id} has changed: read it again", resource=Resource(TYPE, str(id_)), id=id_)


def other_request(request_id: uuid.UUID) -> InvalidArgument:
    """The error for a request_id that came before with other fields."""
    return InvalidArgument(
        "REQUEST_ID_REUSED",
        "request {request_id} came before with other fields",
        violations=[Violation("request_id", "came before with other fields", "request_id.reused")],
        request_id=request_id,
    )
