"""TLS contexts: what a sidecar offers and asks for, as server and as client. Keys come by SDS, never in here."""

from collections.abc import Iterable
from functools import cache

from envoy.config.core.v3 import base_pb2, config_source_pb2, grpc_service_pb2
from envoy.extensions.transport_sockets.raw_buffer.v3 import raw_buffer_pb2
from envoy.extensions.transport_sockets.tls.v3 import common_pb2, secret_pb2, tls_pb2
from envoy.type.matcher.v3 import string_pb2
from google.protobuf import duration_pb2

from localmesh.mesh.pods import ServerTls
from localmesh.mesh.upstreams import ClientTls, TlsMode
from localmesh.xds import names
from localmesh.xds.wire import boolean, pack

# The ciphers of a sidecar's inbound TLS 1.2; those of TLS 1.3 are not configurable.
SERVER_CIPHERS = (
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "AES128-GCM-SHA256",
)
SERVER_ALPN = ("h2", "http/1.1")
_VERSIONS = {
    "": common_pb2.TlsParameters.TLS_AUTO,
    "TLS_AUTO": common_pb2.TlsParameters.TLS_AUTO,
    "TLSV1_0": common_pb2.TlsParameters.TLSv1_0,
    "TLSV1_1": common_pb2.TlsParameters.TLSv1_1,
    "TLSV1_2": common_pb2.TlsParameters.TLSv1_2,
    "TLSV1_3": common_pb2.TlsParameters.TLSv1_3,
}


@cache
def sds_secret(name: str) -> secret_pb2.SdsSecretConfig:
    """A secret by name, from the bootstrap's `sds-grpc` cluster."""
    if name.startswith(names.KUBERNETES):
        # Credentials of the cluster come from the control plane itself; a missing one holds up no listener.
        by_stream = config_source_pb2.ConfigSource(
            ads=config_source_pb2.AggregatedConfigSource(), resource_api_version=config_source_pb2.V3
        )
        return secret_pb2.SdsSecretConfig(name=name, sds_config=by_stream)
    service = grpc_service_pb2.GrpcService(
        envoy_grpc=grpc_service_pb2.GrpcService.EnvoyGrpc(cluster_name=names.SDS_CLUSTER)
    )
    api = config_source_pb2.ApiConfigSource(
        api_type=config_source_pb2.ApiConfigSource.GRPC,
        transport_api_version=config_source_pb2.V3,
        set_node_on_first_message_only=True,
        grpc_services=[service],
    )
    # The workload's own secrets are worth waiting for.
    own = name in {names.WORKLOAD_SECRET, names.ROOT_SECRET}
    source = config_source_pb2.ConfigSource(
        api_config_source=api,
        initial_fetch_timeout=duration_pb2.Duration() if own else None,
        resource_api_version=config_source_pb2.V3,
    )
    return secret_pb2.SdsSecretConfig(name=name, sds_config=source)


def server_mtls(trust_domains: Iterable[str]) -> base_pb2.TransportSocket:
    """A sidecar's inbound mTLS: the client must show a certificate of these trust domains."""
    prefixes = [string_pb2.StringMatcher(prefix=f"spiffe://{domain}/") for domain in trust_domains]
    params = common_pb2.TlsParameters(
        tls_minimum_protocol_version=common_pb2.TlsParameters.TLSv1_2,
        tls_maximum_protocol_version=common_pb2.TlsParameters.TLSv1_3,
        cipher_suites=SERVER_CIPHERS,
    )
    common = tls_pb2.CommonTlsContext(
        tls_params=params,
        alpn_protocols=SERVER_ALPN,
        tls_certificate_sds_secret_configs=[sds_secret(names.WORKLOAD_SECRET)],
        combined_validation_context=_validation(names.ROOT_SECRET, prefixes),
    )
    return _socket(tls_pb2.DownstreamTlsContext(common_tls_context=common, require_client_certificate=boolean(True)))


def client_mtls(identities: Iterable[str], sni: str, http2: bool) -> base_pb2.TransportSocket:
    """A sidecar's outbound mTLS: the server must be one of these SPIFFE URIs.

    ALPN `istio` is what servers recognise the mesh's own connections by. Without the maximum, Envoy as a client
    stops at TLS 1.2.
    """
    common = tls_pb2.CommonTlsContext(
        tls_params=_client_params(),
        alpn_protocols=["istio", "h2"] if http2 else ["istio"],
        tls_certificate_sds_secret_configs=[sds_secret(names.WORKLOAD_SECRET)],
        combined_validation_context=_validation(names.ROOT_SECRET, _exact(identities)),
    )
    return _socket(tls_pb2.UpstreamTlsContext(common_tls_context=common, sni=sni))


def client_tls(tls: ClientTls, http2: bool, names_of_service: Iterable[str]) -> base_pb2.TransportSocket:
    """A DestinationRule's SIMPLE or MUTUAL: ordinary TLS to a server outside the mesh's identities."""
    accepted = _exact(tls.subject_alt_names or names_of_service)
    ca = tls.ca_certificates or "system"
    root = names.gateway_ca_secret(tls.credential_name) if tls.credential_name else names.file_root(ca)
    certificates = []
    if tls.mode is TlsMode.MUTUAL:
        own = names.gateway_secret(tls.credential_name)
        if not tls.credential_name:
            own = names.file_secret(tls.client_certificate, tls.private_key)
        certificates = [sds_secret(own)]
    common = tls_pb2.CommonTlsContext(
        tls_params=_client_params(),
        alpn_protocols=["h2"] if http2 else [],
        tls_certificate_sds_secret_configs=certificates,
    )
    if tls.insecure_skip_verify:
        common.validation_context.CopyFrom(common_pb2.CertificateValidationContext())
    else:
        common.combined_validation_context.CopyFrom(_validation(root, accepted))
    return _socket(tls_pb2.UpstreamTlsContext(common_tls_context=common, sni=tls.sni))


@cache
def raw_buffer() -> base_pb2.TransportSocket:
    """No TLS."""
    return base_pb2.TransportSocket(
        name="envoy.transport_sockets.raw_buffer", typed_config=pack(raw_buffer_pb2.RawBuffer())
    )


def gateway_tls(tls: ServerTls) -> base_pb2.TransportSocket | None:
    """A Gateway server's TLS; None where the connection passes through."""
    if tls.mode in {"PASSTHROUGH", "AUTO_PASSTHROUGH"}:
        return None
    if tls.mode == "ISTIO_MUTUAL":
        return _gateway_mtls()
    certificate = names.gateway_secret(tls.credential_name)
    root = names.gateway_ca_secret(tls.credential_name)
    if not tls.credential_name:
        certificate = names.file_secret(tls.server_certificate, tls.private_key)
        root = names.file_root(tls.ca_certificates)
    common = tls_pb2.CommonTlsContext(
        tls_params=_server_params(tls),
        alpn_protocols=SERVER_ALPN,
        tls_certificate_sds_secret_configs=[sds_secret(certificate)],
    )
    mutual = tls.mode in {"MUTUAL", "OPTIONAL_MUTUAL"}
    if mutual:
        checks = _validation(root, _exact(tls.subject_alt_names))
        checks.default_validation_context.verify_certificate_hash.extend(tls.certificate_hashes)
        checks.default_validation_context.verify_certificate_spki.extend(tls.certificate_spki)
        common.combined_validation_context.CopyFrom(checks)
    return _socket(
        tls_pb2.DownstreamTlsContext(
            common_tls_context=common, require_client_certificate=boolean(tls.mode == "MUTUAL")
        )
    )


def _gateway_mtls() -> base_pb2.TransportSocket:
    """The mesh's own certificates at the edge: any of its roots' identities may call, with Envoy's own defaults."""
    common = tls_pb2.CommonTlsContext(
        alpn_protocols=SERVER_ALPN,
        tls_certificate_sds_secret_configs=[sds_secret(names.WORKLOAD_SECRET)],
        combined_validation_context=_validation(names.ROOT_SECRET, []),
    )
    return _socket(tls_pb2.DownstreamTlsContext(common_tls_context=common, require_client_certificate=boolean(True)))


def _server_params(tls: ServerTls) -> common_pb2.TlsParameters | None:
    if not (tls.minimum_version or tls.maximum_version or tls.cipher_suites):
        return None
    return common_pb2.TlsParameters(
        tls_minimum_protocol_version=_VERSIONS[tls.minimum_version],
        tls_maximum_protocol_version=_VERSIONS[tls.maximum_version],
        cipher_suites=tls.cipher_suites,
    )


def _client_params() -> common_pb2.TlsParameters:
    return common_pb2.TlsParameters(
        tls_minimum_protocol_version=common_pb2.TlsParameters.TLSv1_2,
        tls_maximum_protocol_version=common_pb2.TlsParameters.TLSv1_3,
    )


def _exact(values: Iterable[str]) -> list[string_pb2.StringMatcher]:
    return [string_pb2.StringMatcher(exact=value) for value in values]


def _validation(
    root: str, accepted: list[string_pb2.StringMatcher]
) -> tls_pb2.CommonTlsContext.CombinedCertificateValidationContext:
    return tls_pb2.CommonTlsContext.CombinedCertificateValidationContext(
        default_validation_context=common_pb2.CertificateValidationContext(match_subject_alt_names=accepted),
        validation_context_sds_secret_config=sds_secret(root),
    )


def _socket(context: tls_pb2.DownstreamTlsContext | tls_pb2.UpstreamTlsContext) -> base_pb2.TransportSocket:
    return base_pb2.TransportSocket(name="envoy.transport_sockets.tls", typed_config=pack(context))
