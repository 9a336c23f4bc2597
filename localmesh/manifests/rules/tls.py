"""TLS settings of servers (Gateway, Sidecar) and clients (DestinationRule): what each mode needs and excludes."""

from collections.abc import Iterator

from localmesh import codes
from localmesh.errors import Problem
from localmesh.manifests.istio.common import ServerTLSSettings
from localmesh.manifests.istio.destination_rule import ClientTLSSettings

_CIPHERS = frozenset(
    [
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
        "ECDHE-ECDSA-AES128-SHA",
        "ECDHE-RSA-AES128-SHA",
        "ECDHE-ECDSA-AES256-SHA",
        "ECDHE-RSA-AES256-SHA",
        "AES128-GCM-SHA256",
        "AES256-GCM-SHA384",
        "AES128-SHA",
        "AES256-SHA",
        "DES-CBC3-SHA",
    ]
)
_OWN_FILES = ("server_certificate", "private_key", "ca_certificates", "credential_name")


def server_problems(tls: ServerTLSSettings | None) -> Iterator[Problem]:
    """What a server's mode needs, and what it cannot be given."""
    if tls is None:
        return
    if tls.credential_names and (tls.credential_name or tls.tls_certificates):
        what = "credentialName, credentialNames and tlsCertificates are alternatives"
        yield Problem(tls.at("credential_names"), what)
    remote = tls.credential_name or tls.credential_names or tls.tls_certificates
    if tls.mode == "ISTIO_MUTUAL":
        for field in _OWN_FILES:
            if getattr(tls, field):
                yield Problem(tls.at(field), "ISTIO_MUTUAL uses the mesh's certificates, no others", "leave it out")
    elif tls.mode in {"SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL"} and not remote:
        needed = ["server_certificate", "private_key"] + (["ca_certificates"] if tls.mode != "SIMPLE" else [])
        for field in needed:
            if not getattr(tls, field):
                yield Problem(tls.where, f"{tls.mode} needs {_spoken(field)}", "or a credentialName, which holds all")
        if tls.ca_crl and tls.mode == "SIMPLE":
            yield Problem(tls.at("ca_crl"), "SIMPLE asks no client for a certificate: a CRL has no use")


def server_warnings(tls: ServerTLSSettings | None) -> Iterator[Problem]:
    """What istiod ignores."""
    if tls is None:
        return
    if tls.min_protocol_version in {"TLSV1_0", "TLSV1_1"} and not tls.cipher_suites:
        what = "TLS below 1.2 needs cipherSuites: the default ones are for 1.2 and above"
        yield codes.OLD_TLS.at(tls.at("min_protocol_version"), what)
    for index, cipher in enumerate(tls.cipher_suites):
        if cipher and cipher != "ALL" and cipher[0].isalnum() and cipher not in _CIPHERS:
            yield codes.CIPHER_IGNORED.at(
                tls.at("cipher_suites", index), f'there is no cipher suite "{cipher}": it is ignored'
            )
        elif cipher in tls.cipher_suites[:index]:
            yield codes.CIPHER_IGNORED.at(tls.at("cipher_suites", index), f'"{cipher}" is listed twice')
    if tls.mode in {None, "PASSTHROUGH", "AUTO_PASSTHROUGH"}:
        for field in (*_OWN_FILES, "ca_crl"):
            if getattr(tls, field):
                yield codes.CERTIFICATE_IGNORED.at(tls.at(field), "PASSTHROUGH ends no TLS: certificates are ignored")


def client_warnings(tls: ClientTLSSettings | None) -> Iterator[Problem]:
    """A server that nobody was named for."""
    if tls is None or tls.mode not in {"SIMPLE", "MUTUAL"} or tls.insecure_skip_verify:
        return
    if not tls.ca_certificates and not tls.credential_name:
        what = f"{tls.mode} without caCertificates: the proxy's system says whom to trust"
        yield codes.UNVERIFIED_SERVER.at(tls.where, what, "set caCertificates or credentialName")


def client_problems(tls: ClientTLSSettings | None) -> Iterator[Problem]:
    """What a client's mode needs, and what contradicts itself."""
    if tls is None:
        return
    if tls.insecure_skip_verify and tls.mode in {"SIMPLE", "MUTUAL"}:
        checks = ["ca_certificates", "subject_alt_names"] + (["credential_name"] if tls.mode == "SIMPLE" else [])
        for field in checks:
            if getattr(tls, field):
                yield Problem(tls.at(field), f"insecureSkipVerify checks nothing: {_spoken(field)} has no use")
    if tls.mode in {"SIMPLE", "MUTUAL"} and tls.credential_name:
        for field in ("client_certificate", "private_key", "ca_certificates", "ca_crl"):
            if getattr(tls, field):
                yield Problem(tls.at(field), "credentialName holds all certificates", "leave this out")
    elif tls.mode == "MUTUAL":
        for field in ("client_certificate", "private_key"):
            if not getattr(tls, field):
                yield Problem(
                    tls.where, f"MUTUAL needs {_spoken(field)}", "or a credentialName; in the mesh: ISTIO_MUTUAL"
                )


def _spoken(field: str) -> str:
    head, *rest = field.split("_")
    return head + "".join(part.capitalize() for part in rest)
