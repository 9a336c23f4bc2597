"""Bearer JWTs: verified on the way in, given on to the next service on the way out.

The sidecars check the token too (RequestAuthentication); a service does not rely on being behind one. A verified token
is remembered by its hash until it expires: checking an ES256 signature costs as much as half a call.
"""

import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import jwt
from jwt.algorithms import ECAlgorithm

from services.common import identity
from services.common.errors import Unauthenticated
from services.common.identity import Identity
from services.common.interceptors.chain import INFRASTRUCTURE, UNSERVED, Behaviour, Layer, Method
from services.common.settings import SettingsError

# Pinned: a verifier that takes the algorithm from the token can be told "none", or to use a public key as a secret.
ALGORITHM = "ES256"
_MOST_REMEMBERED = 10_000


class TokenVerifier:
    """Verifies tokens of one issuer for one audience with the public keys of a JWKS file (RFC 7517)."""

    def __init__(self, jwks_file: Path, issuer: str, audience: str) -> None:
        """Reads the keys now; raises SettingsError if there are none.

        Reads them again when a token names a key that is not among them and the file has changed.
        """
        self._file = jwks_file
        self._issuer = issuer
        self._audience = audience
        self._read_at = jwks_file.stat().st_mtime_ns
        self._keys = read_keys(jwks_file)
        self._verified: OrderedDict[bytes, Identity] = OrderedDict()

    def verify(self, token: str) -> Identity:
        """Who the token speaks for. Raises Unauthenticated with a reason that says what is wrong with it."""
        digest = hashlib.sha256(token.encode()).digest()
        known = self._verified.get(digest)
        if known is not None:
            if known.expires_at > time.time():
                self._verified.move_to_end(digest)
                return known
            del self._verified[digest]
        verified = self._checked(token)
        self._verified[digest] = verified
        if len(self._verified) > _MOST_REMEMBERED:
            self._verified.popitem(last=False)
        return verified

    def _checked(self, token: str) -> Identity:
        try:
            key = self._key(jwt.get_unverified_header(token).get("kid"))
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                issuer=self._issuer,
                audience=self._audience,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("TOKEN_EXPIRED", "the token has expired") from None
        except jwt.InvalidAudienceError:
            raise Unauthenticated("TOKEN_AUDIENCE", "the token is for another audience") from None
        except jwt.InvalidIssuerError:
            raise Unauthenticated("TOKEN_ISSUER", "the token is of another issuer") from None
        except jwt.MissingRequiredClaimError as error:
            raise Unauthenticated(
                "TOKEN_CLAIM_MISSING", "the token lacks the claim {claim}", claim=error.claim
            ) from None
        except jwt.InvalidSignatureError:
            raise Unauthenticated("TOKEN_SIGNATURE", "the token's signature does not hold") from None
        except jwt.PyJWTError:
            raise Unauthenticated("TOKEN_INVALID", "this is not a token that we accept") from None
        if not claims["sub"]:
            raise Unauthenticated("TOKEN_CLAIM_MISSING", "the token lacks the claim {claim}", claim="sub")
        return Identity(subject=claims["sub"], token=token, expires_at=float(claims["exp"]))

    def _key(self, key_id: object) -> Any:
        if key_id not in self._keys:
            self._read_again()
        # A token without a key id is fine as long as there is no choice.
        if key_id is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        key = self._keys.get(key_id)
        if key is None:
            raise jwt.InvalidKeyError
        return key

    def _read_again(self) -> None:
        """If the file has changed. One that is gone or half-written leaves the keys as they are."""
        with suppress(OSError, SettingsError):
            changed_at = self._file.stat().st_mtime_ns
            if changed_at != self._read_at:
                self._keys = read_keys(self._file)
                self._verified.clear()  # some of them perhaps by a key that is gone
                self._read_at = changed_at


def read_keys(jwks_file: Path) -> Mapping[object, Any]:
    """The EC P-256 keys of a JWKS file by key id. Raises SettingsError if the file holds none that we can use."""
    keys: dict[object, Any] = {}
    try:
        for key in json.loads(jwks_file.read_text())["keys"]:
            if key.get("kty") == "EC" and key.get("crv") == "P-256" and "d" not in key:
                keys[key.get("kid")] = ECAlgorithm.from_jwk(key)
    except (KeyError, TypeError, AttributeError, jwt.PyJWTError, ValueError, OSError):
        keys.clear()
    if not keys:
        raise SettingsError(f"JWT_JWKS_FILE: {jwks_file} holds no public EC P-256 key")
    return keys


def authenticated(verifier: TokenVerifier) -> Layer:
    """Lets a call through only with a valid token, and says whose it is (`identity.current`)."""

    def layer(method: Method, proceed: Behaviour) -> Behaviour:
        if method.service in INFRASTRUCTURE or method is UNSERVED:
            return proceed

        async def behaviour(request: Any, context: Any) -> Any:
            identity.set_current(verifier.verify(bearer_token(context.invocation_metadata())))
            return await proceed(request, context)

        return behaviour

    return layer


def bearer_token(metadata: Any) -> str:
    """The token of `authorization: Bearer …` (RFC 6750). Raises Unauthenticated if there is none."""
    found = [value for key, value in metadata or () if key == "authorization"]
    if not found:
        raise Unauthenticated("TOKEN_MISSING", "the call has no bearer token")
    scheme, _, token = found[0].partition(" ") if isinstance(found[0], str) else ("", "", "")
    if len(found) > 1 or scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("TOKEN_INVALID", "authorization must be one bearer token")
    return token.strip()
