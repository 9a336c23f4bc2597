"""The secrets of one mesh: made on first use, never committed, and the manifests that carry them.

`secrets/` is the source of truth: a signing key and four passwords. What is missing is made, what is there is kept, and
the two manifests follow from it, so any of these files can be lost and comes back consistent with the others.
"""

import contextlib
import fcntl
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from jwt.utils import base64url_encode

from clients.failure import Failure
from clients.key_manifests import request_authentication, secret_manifest
from clients.tokens import ALGORITHM, SigningKey

PRIVATE_KEY = "jwt-private.pem"


@dataclass(frozen=True, slots=True)
class Passwords:
    """What the stores ask for; kept out of repr."""

    postgres_superuser: str = field(repr=False)
    user_database: str = field(repr=False)
    chat_database: str = field(repr=False)
    nats_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Places:
    """Where things are, below the root of the repository."""

    root: Path

    @property
    def secrets(self) -> Path:
        """The folder of the source of truth."""
        return self.root / "secrets"

    @property
    def request_authentication(self) -> Path:
        """The generated manifest that tells the gateway the public half."""
        return self.root / "deploy/istio/request-authentication.yaml"

    @property
    def secret_manifest(self) -> Path:
        """The generated manifest of Secrets and the services' key set."""
        return self.root / "deploy/k8s/secrets.yaml"


def repository() -> Path:
    """The root of the repository that this module is in."""
    return Path(__file__).resolve().parent.parent


def ensure(places: Places) -> list[Path]:
    """Makes what is missing and returns the files that were written. Two at once do not disturb each other."""
    with _alone(places.secrets):
        before = {path.name for path in places.secrets.iterdir()}
        pem = _kept_or(places.secrets / PRIVATE_KEY, _new_private_key).encode()
        passwords = Passwords(
            postgres_superuser=_password(places.secrets / "postgres-superuser"),
            user_database=_password(places.secrets / "user-database"),
            chat_database=_password(places.secrets / "chat-database"),
            nats_token=_password(places.secrets / "nats-token"),
        )
        written = [path for path in sorted(places.secrets.iterdir()) if path.name not in before]
        jwks = {"keys": [public_jwk(pem)]}
        manifests = {
            places.request_authentication: request_authentication(jwks),
            places.secret_manifest: secret_manifest(
                jwks=jwks,
                postgres_superuser=passwords.postgres_superuser,
                user_database=passwords.user_database,
                chat_database=passwords.chat_database,
                nats_token=passwords.nats_token,
            ),
        }
        for path, text in manifests.items():
            # An unchanged file is not touched: a running mesh watches these folders.
            if not path.exists() or path.read_text() != text:
                _write(path, text)
                written.append(path)
    return written


def signing_key(places: Places) -> SigningKey:
    """The key to sign tokens with. Raises Failure if there is none yet."""
    try:
        pem = (places.secrets / PRIVATE_KEY).read_bytes()
    except FileNotFoundError:
        raise Failure(f"there is no signing key at {places.secrets / PRIVATE_KEY}\n  try: make keys") from None
    return SigningKey(pem, str(public_jwk(pem)["kid"]))


def public_jwk(pem: bytes) -> dict[str, str]:
    """The public half as a JWK (RFC 7517). Its kid is its thumbprint (RFC 7638), so it needs no file of its own."""
    key = serialization.load_pem_private_key(pem, password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey), "made by _new_private_key"
    jwk = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    canonical = '{{"crv":"{crv}","kty":"{kty}","x":"{x}","y":"{y}"}}'.format_map(jwk)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(canonical.encode())
    kid = base64url_encode(digest.finalize()).decode()
    return {
        "kty": jwk["kty"],
        "crv": jwk["crv"],
        "x": jwk["x"],
        "y": jwk["y"],
        "kid": kid,
        "alg": ALGORITHM,
        "use": "sig",
    }


def _new_private_key() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _password(path: Path) -> str:
    """The password of this file, made if it is missing. It stands in SQL and URLs, so it must need no quoting."""
    password = _kept_or(path, lambda: secrets.token_hex(24)).strip()
    if not (password.isascii() and password.isalnum()):
        raise Failure(f"{path}: a password here is letters and digits only")
    return password


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Makes the folder, and holds off others who would make the same secrets at the same time."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)  # and with it the lock


def _kept_or(path: Path, make: Callable[[], str]) -> str:
    """What the file holds; if there is none, something new, stored."""
    if not path.exists():
        _write(path, make())
    return path.read_text()


def _write(path: Path, text: str) -> None:
    """Whole or not at all, and for the owner's eyes only from the first byte on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(temporary).replace(path)
