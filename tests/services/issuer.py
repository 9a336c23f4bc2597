"""Tokens for tests, signed with a key that lives as long as the test session."""

import json
import time
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from services.common.settings import ServerSettings

ISSUER, AUDIENCE = "https://issuer.test", "mesh.test"


class Issuer:
    """A key pair whose public half is in `jwks_file`."""

    def __init__(self, folder: Path, key_id: str = "test") -> None:
        self.jwks_file = folder / "jwks.json"
        self.key_id = key_id
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.jwks_file.write_text(json.dumps({"keys": [self.public_jwk()]}))

    def public_jwk(self) -> dict[str, Any]:
        """The public key as a JWK."""
        return {**json.loads(ECAlgorithm.to_jwk(self.key.public_key())), "kid": self.key_id, "alg": "ES256"}

    def token(self, subject: str, **claims: object) -> str:
        """A token for this user id that holds for an hour; `claims` replace or, being None, remove what it says."""
        said = {"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "exp": int(time.time()) + 3600} | claims
        kept = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(kept, self.key, algorithm="ES256", headers={"kid": self.key_id})

    def bearer(self, subject: str, **claims: object) -> tuple[tuple[str, str], ...]:
        """The call metadata that carries such a token."""
        return (("authorization", f"Bearer {self.token(subject, **claims)}"),)

    def settings(self, folder: Path, **changes: Any) -> ServerSettings:
        """Settings of a server on Unix sockets in `folder` (keep its path short) that trusts this issuer."""
        values: dict[str, Any] = {
            "grpc_listen": f"unix:{folder}/grpc",
            "metrics_listen": f"unix:{folder}/metrics",
            "jwt_jwks_file": self.jwks_file,
            "jwt_issuer": ISSUER,
            "jwt_audience": AUDIENCE,
            "pod_name": "pod-0",
            "pod_version": "v1",
        }
        return ServerSettings(**(values | changes))
