"""JSON Web Tokens for calls through the gateway, signed with the key that `keys` made (RFC 7519, ES256)."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import jwt

ISSUER = "https://localmesh.dev/issuer"
AUDIENCE = "mesh"
ALGORITHM = "ES256"
# Who makes users before there is one. Not a user, so it cannot post.
OPERATOR = "operator"
A_DAY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The private half in PEM, kept out of repr, and the id under which verifiers know the public half."""

    pem: bytes = field(repr=False)
    kid: str


def mint(key: SigningKey, subject: str, lifetime: timedelta = A_DAY) -> str:
    """A token that says who calls: a user's id, or OPERATOR."""
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": subject,
        "iat": now,
        "exp": now + int(lifetime.total_seconds()),
    }
    return jwt.encode(claims, key.pem, algorithm=ALGORITHM, headers={"kid": key.kid})


def renewed(key: SigningKey, subject: str, lifetime: timedelta = timedelta(hours=1)) -> Callable[[], str]:
    """Gives a token with at least half of its lifetime left, however long the session lasts."""
    token, renew_at = "", 0.0

    def bearer() -> str:
        nonlocal token, renew_at
        if time.monotonic() >= renew_at:
            token = mint(key, subject, lifetime)
            renew_at = time.monotonic() + lifetime.total_seconds() / 2
        return token

    return bearer
