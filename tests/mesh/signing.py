"""Tokens as the mesh accepts them, and with any claim replaced."""

import time
from collections.abc import Mapping
from pathlib import Path

import jwt

from clients import keys, tokens

ROOT = Path(__file__).resolve().parents[2]


def signed(subject: str, claims: Mapping[str, object]) -> str:
    """Signed with the key that the mesh trusts, on this machine and on a cluster; a claim of None is left out."""
    key = keys.signing_key(keys.Places(ROOT))
    now = int(time.time())
    whole = {"iss": tokens.ISSUER, "aud": tokens.AUDIENCE, "sub": subject, "iat": now, "exp": now + 3600} | {**claims}
    present = {name: value for name, value in whole.items() if value is not None}
    return jwt.encode(present, key.pem, algorithm=tokens.ALGORITHM, headers={"kid": key.kid})
