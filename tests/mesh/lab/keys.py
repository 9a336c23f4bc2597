"""Issuers and authorities of the tests' own: key sets and tokens, certificates and their keys. All live in memory."""

import base64
import datetime
import ipaddress
import json
import time
from dataclasses import dataclass, field

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def new_key() -> ec.EllipticCurvePrivateKey:
    """A private key."""
    return ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True)
class Issuer:
    """Somebody who signs tokens."""

    name: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=new_key)

    def token(self, subject: str = "ada", **claims: object) -> str:
        """A JWT that is good for an hour, with any claim replaced or added."""
        whole = {"iss": self.name, "sub": subject, "exp": int(time.time()) + 3600} | claims
        return jwt.encode(whole, self.key, algorithm="ES256", headers={"kid": self.name})

    @property
    def jwks(self) -> str:
        """The public key, as a JWK set."""
        key = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key()))
        return json.dumps({"keys": [key | {"kid": self.name, "alg": "ES256", "use": "sig"}]})


@dataclass(frozen=True, slots=True)
class Certified:
    """A certificate and its key, as PEM."""

    certificate: bytes
    private_key: bytes


@dataclass(frozen=True)
class Authority:
    """A certificate authority."""

    name: str = "tests"
    key: ec.EllipticCurvePrivateKey = field(default_factory=new_key)

    @property
    def subject(self) -> x509.Name:
        """Its name as certificates have it."""
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])

    @property
    def certificate(self) -> bytes:
        """Its own certificate, as PEM."""
        basic = x509.BasicConstraints(ca=True, path_length=0)
        made = self._unsigned(self.subject, self.key).add_extension(basic, critical=True)
        return made.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def issue(self, name: str) -> Certified:
        """A certificate for a host name, also good for 127.0.0.1."""
        key = new_key()
        names: list[x509.GeneralName] = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = self._unsigned(subject, key).add_extension(x509.SubjectAlternativeName(names), critical=False)
        form = serialization.PrivateFormat.PKCS8
        return Certified(
            made.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM),
            key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()),
        )

    def _unsigned(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now, hour = datetime.datetime.now(datetime.UTC), datetime.timedelta(hours=1)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self.subject)
        builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
        return builder.not_valid_before(now - hour).not_valid_after(now + hour)


def base64_text(content: bytes) -> str:
    """As the data of a Secret."""
    return base64.b64encode(content).decode()
