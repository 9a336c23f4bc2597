"""The tokens of a bench: signed with the repository's key, for the operator."""

import json

from clients import caller
from clients.keys import public_jwk
from clients.tokens import OPERATOR, mint

# W3C trace context: of 100 calls in production, 99 or so are not recorded.
_UNSAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"


def metadata(*, sampled: bool = True, subject: str = OPERATOR) -> dict[str, str]:
    """Of a call: a token, and unless `sampled`, a trace context that says "not recorded"."""
    token = {"authorization": f"Bearer {mint(caller.signing_key(), subject)}"}
    return token | ({"traceparent": _UNSAMPLED} if not sampled else {})


def jwks() -> str:
    """The key set that verifies them (RFC 7517)."""
    return json.dumps({"keys": [public_jwk(caller.signing_key().pem)]})
