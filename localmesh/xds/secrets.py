"""The keys and certificates of one proxy as SDS secrets. They exist on their way to Envoy only; nothing prints them."""

from collections.abc import Iterable, Mapping

from envoy.config.core.v3 import base_pb2
from envoy.extensions.transport_sockets.tls.v3 import common_pb2, secret_pb2

from localmesh.mesh import Credential
from localmesh.mesh.pods import Pod
from localmesh.xds import names
from localmesh.xds.snapshot import SECRET, Resource, Snapshot, resource


def secrets(chain_pem: bytes, key_pem: bytes, roots_pem: bytes) -> Snapshot:
    """The workload's own certificate chain and key (`default`), and whom it believes (`ROOTCA`). All PEM."""
    return Snapshot.of(
        {SECRET: [_certificate(names.WORKLOAD_SECRET, chain_pem, key_pem), _roots(names.ROOT_SECRET, roots_pem)]}
    )


def gateway_secrets(pod: Pod, credentials: Mapping[str, Credential]) -> Snapshot:
    """The credentials that a gateway's servers name, from its own namespace; those that do not exist are left out."""
    wanted = {server.tls.credential_name for server in pod.servers if server.tls and server.tls.credential_name}
    return Snapshot.of({SECRET: list(_credentials(pod.namespace, sorted(wanted), credentials))})


def _credentials(namespace: str, wanted: Iterable[str], credentials: Mapping[str, Credential]) -> Iterable[Resource]:
    for name in wanted:
        key = name.rpartition("://")[2]
        found = credentials.get(key if "/" in key else f"{namespace}/{key}")
        if found is None:
            continue
        yield _certificate(names.gateway_secret(name), found.certificate, found.private_key)
        if found.ca:
            yield _roots(names.gateway_ca_secret(name), found.ca)


def _certificate(name: str, chain_pem: bytes, key_pem: bytes) -> Resource:
    certificate = common_pb2.TlsCertificate(
        certificate_chain=base_pb2.DataSource(inline_bytes=chain_pem),
        private_key=base_pb2.DataSource(inline_bytes=key_pem),
    )
    return resource(name, secret_pb2.Secret(name=name, tls_certificate=certificate))


def _roots(name: str, roots_pem: bytes) -> Resource:
    context = common_pb2.CertificateValidationContext(trusted_ca=base_pb2.DataSource(inline_bytes=roots_pem))
    return resource(name, secret_pb2.Secret(name=name, validation_context=context))
