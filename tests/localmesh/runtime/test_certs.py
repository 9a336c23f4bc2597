"""Certificates, as a peer would check them."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from localmesh.mesh.identity import Identity
from localmesh.runtime import certs
from localmesh.runtime.certs import Authority, Leaf

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)
CHAT = Identity("cluster.local", "mesh", "chat")


def accepted(leaf: Leaf, by: Authority, *, at: datetime = NOW) -> bool:
    """Whether a server that trusts the authority's roots takes this client."""
    roots = x509.load_pem_x509_certificates(by.bundle)
    verifier = PolicyBuilder().store(Store(roots)).time(at).build_client_verifier()
    try:
        verifier.verify(x509.load_pem_x509_certificate(leaf.certificate), [])
    except VerificationError:
        return False
    return True


def test_a_certificate_carries_its_identity_and_nothing_else() -> None:
    leaf = certs.new_authority("cluster.local", now=NOW).issue(CHAT, lifetime=DAY, now=NOW)
    certificate = x509.load_pem_x509_certificate(leaf.certificate)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert list(names.value) == [x509.UniformResourceIdentifier("spiffe://cluster.local/ns/mesh/sa/chat")]
    assert names.critical
    assert not list(certificate.subject)
    assert load_pem_private_key(leaf.private_key, None).public_key() == certificate.public_key()


def test_it_is_accepted_while_it_lives_and_by_its_own_authority_only() -> None:
    mine, other = (certs.new_authority("cluster.local", now=NOW) for _ in range(2))
    leaf = mine.issue(CHAT, lifetime=DAY, now=NOW)
    assert accepted(leaf, mine)
    assert accepted(leaf, mine, at=NOW + DAY - timedelta(seconds=1))
    assert not accepted(leaf, mine, at=NOW + DAY + timedelta(seconds=1))
    assert not accepted(leaf, other)
    assert leaf.renew_at == NOW + DAY / 2


def test_openssl_takes_a_certificate_with_its_key(tmp_path: Path) -> None:
    authority = certs.new_authority("cluster.local", now=datetime.now(UTC))
    leaf = authority.issue(CHAT, lifetime=DAY, now=datetime.now(UTC))
    (tmp_path / "cert").write_bytes(leaf.certificate)
    (tmp_path / "key").write_bytes(leaf.private_key)
    context = ssl.create_default_context(cadata=authority.bundle.decode())
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")


def test_no_key_is_in_what_is_printed() -> None:
    authority = certs.new_authority("cluster.local", now=NOW)
    leaf = authority.issue(CHAT, lifetime=DAY, now=NOW)
    assert "PRIVATE" not in repr(leaf)
    assert "key" not in repr(authority).lower().replace("public", "")
