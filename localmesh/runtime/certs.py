"""The mesh's own certificate authority, and a certificate for each identity: short-lived, renewed in good time.

Certificates carry the identity as a SPIFFE URI, as Istio's do (SPIFFE X.509-SVID). Keys live in memory only: a mesh
that starts anew has a new authority, and all its proxies get what it issues.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from localmesh.mesh.identity import Identity

_ROOT_LIFETIME = timedelta(days=365)
# Clocks of processes on one machine agree, those of a person's tools in a container may not.
_BACKDATED = timedelta(minutes=1)
_BOTH_SIDES = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


@dataclass(frozen=True, slots=True)
class Root:
    """A root certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def pem(self) -> bytes:
        """The certificate in PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)


@dataclass(frozen=True, slots=True)
class Leaf:
    """An identity's certificate and key in PEM, and when it is time for the next."""

    identity: Identity
    certificate: bytes
    private_key: bytes = field(repr=False)
    not_before: datetime
    not_after: datetime

    @property
    def renew_at(self) -> datetime:
        """Half of its life has passed."""
        return self.not_before + (self.not_after - self.not_before) / 2


@dataclass(frozen=True, slots=True)
class Authority:
    """Issues by its root, which lives as long as the mesh does."""

    root: Root

    @property
    def bundle(self) -> bytes:
        """What peers accept, in PEM."""
        return self.root.pem

    def issue(self, identity: Identity, *, lifetime: timedelta, now: datetime) -> Leaf:
        """A new key and certificate for an identity."""
        key = ec.generate_private_key(ec.SECP256R1())
        root = self.root.certificate
        not_before, not_after = now - _BACKDATED, now + lifetime
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(root.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(not_before)
            .not_valid_after(not_after)
            # Critical, because the subject is empty: RFC 5280, section 4.2.1.6.
            .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(identity.uri)]), critical=True)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(digital_signature=True, key_encipherment=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage(_BOTH_SIDES), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.root.key.public_key()), critical=False
            )
            .sign(self.root.key, hashes.SHA256())
        )
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        return Leaf(identity, pem, _private_pem(key), now, not_after)


def _new_root(trust_domain: str, *, now: datetime) -> Root:
    """A self-signed root of its own for a trust domain."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, trust_domain)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + _ROOT_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Root(certificate, key)


def new_authority(trust_domain: str, *, now: datetime) -> Authority:
    """An authority with a new root."""
    return Authority(_new_root(trust_domain, now=now))


def _usage(**used: bool) -> x509.KeyUsage:
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")  # fmt: skip
    return x509.KeyUsage(**{name: used.get(name, False) for name in names})


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
