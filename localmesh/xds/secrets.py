"""The keys and certificates of one proxy as SDS secrets. They exist on their way to Envoy only; nothing prints them."""

from collections.abc import Iterable, Iterator, Mapping

from envoy.config.core.v3 import base_pb2
from envoy.extensions.transport_sockets.tls.v3 import common_pb2, secret_pb2

from localmesh.mesh import Credential
from localmesh.mesh.pods import Pod, ServerTls
from localmesh.mesh.upstreams import ClientTls
from localmesh.xds import names
from localmesh.xds.snapshot import SECRET, Resource, Snapshot, resource

# As a name of authorities: those that the machine believes.
SYSTEM = "system"


def secrets(chain_pem: bytes, key_pem: bytes, roots_pem: bytes) -> Snapshot:
    """The workload's own certificate chain and key (`default`), and whom it believes (`ROOTCA`). All PEM."""
    return Snapshot.of(
        {SECRET: [_certificate(names.WORKLOAD_SECRET, chain_pem, key_pem), _roots(names.ROOT_SECRET, roots_pem)]}
    )


def named_secrets(pod: Pod, credentials: Mapping[str, Credential], system_roots: str) -> Snapshot:
    """What a gateway's servers and a client's DestinationRules name.

    Credentials are from the pod's own namespace, and those that do not exist are left out. A file is one of this
    machine, as a process has no other; `system_roots` is the file with the authorities that the machine believes.
    """
    blocks: tuple[ServerTls | ClientTls, ...] = (
        *(server.tls for server in pod.servers if server.tls),
        *pod.outbound.ordinary_tls,
    )
    wanted = {tls.credential_name for tls in blocks if tls.credential_name}
    files = [_files(tls, system_roots) for tls in blocks if not tls.credential_name]
    found = [*_credentials(pod.namespace, sorted(wanted), credentials), *(each for many in files for each in many)]
    return Snapshot.of({SECRET: found})


def _files(tls: ServerTls | ClientTls, system_roots: str) -> Iterator[Resource]:
    if isinstance(tls, ServerTls):
        chain, root = tls.server_certificate, tls.ca_certificates
    else:
        chain, root = tls.client_certificate, tls.ca_certificates or SYSTEM
    if chain:
        pair = _pair(_file(chain), _file(tls.private_key))
        yield _secret(names.file_secret(chain, tls.private_key), pair)
    if root:
        yield _secret(names.file_root(root), believed=_file(system_roots if root == SYSTEM else root))


def _credentials(namespace: str, wanted: Iterable[str], credentials: Mapping[str, Credential]) -> Iterator[Resource]:
    for name in wanted:
        key = name.rpartition("://")[2]
        found = credentials.get(key if "/" in key else f"{namespace}/{key}")
        if found is None:
            continue
        if found.certificate:
            yield _certificate(names.gateway_secret(name), found.certificate, found.private_key)
        if found.ca:
            yield _roots(names.gateway_ca_secret(name), found.ca)


def _certificate(name: str, chain_pem: bytes, key_pem: bytes) -> Resource:
    return _secret(name, certificate=_pair(_inline(chain_pem), _inline(key_pem)))


def _roots(name: str, roots_pem: bytes) -> Resource:
    return _secret(name, believed=_inline(roots_pem))


def _secret(
    name: str, certificate: common_pb2.TlsCertificate | None = None, believed: base_pb2.DataSource | None = None
) -> Resource:
    context = common_pb2.CertificateValidationContext(trusted_ca=believed) if believed else None
    return resource(name, secret_pb2.Secret(name=name, tls_certificate=certificate, validation_context=context))


def _pair(chain: base_pb2.DataSource, key: base_pb2.DataSource) -> common_pb2.TlsCertificate:
    return common_pb2.TlsCertificate(certificate_chain=chain, private_key=key)


def _inline(content: bytes) -> base_pb2.DataSource:
    return base_pb2.DataSource(inline_bytes=content)


def _file(path: str) -> base_pb2.DataSource:
    return base_pb2.DataSource(filename=path)
