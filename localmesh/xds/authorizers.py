"""Asking another service whether a request may pass: a CUSTOM policy's rules, and the filter that asks.

The rules stand in the shadow of an RBAC filter: it only writes into the request's metadata which of them matches, and
the ext_authz filter behind it asks where that is a rule of its own provider
(pilot/pkg/security/authz/builder/builder.go). On TCP only gRPC authorizers can be asked.
"""

from collections.abc import Iterable

from envoy.config.core.v3 import base_pb2, config_source_pb2, grpc_service_pb2, http_uri_pb2
from envoy.config.rbac.v3 import rbac_pb2
from envoy.extensions.filters.http.ext_authz.v3 import ext_authz_pb2 as http_authz
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2 as http_rbac_pb2
from envoy.extensions.filters.network.ext_authz.v3 import ext_authz_pb2 as network_authz
from envoy.extensions.filters.network.rbac.v3 import rbac_pb2 as network_rbac_pb2
from envoy.type.matcher.v3 import metadata_pb2, string_pb2, value_pb2
from envoy.type.v3 import http_status_pb2

from localmesh.mesh.security import Authorizer, Body, HttpCheck
from localmesh.xds import names
from localmesh.xds.wire import duration

HTTP_RBAC = "envoy.filters.http.rbac"
NETWORK_RBAC = "envoy.filters.network.rbac"
# What the RBAC filter writes its verdict under.
PREFIX = "istio_ext_authz_"
DEFAULT_TIMEOUT_SECONDS = 600.0


def http_rules(asked: rbac_pb2.RBAC | None, dry_run: rbac_pb2.RBAC | None) -> http_rbac_pb2.RBAC:
    """The rules of one provider's policies; those under dry-run are in force, and deny (istiod's own behaviour)."""
    return http_rbac_pb2.RBAC(rules=dry_run, shadow_rules=asked or _no_rules(), shadow_rules_stat_prefix=PREFIX)


def network_rules(asked: rbac_pb2.RBAC | None, dry_run: rbac_pb2.RBAC | None) -> network_rbac_pb2.RBAC:
    """The same for connections."""
    return network_rbac_pb2.RBAC(
        rules=dry_run, shadow_rules=asked or _no_rules(), shadow_rules_stat_prefix=PREFIX, stat_prefix="tcp."
    )


def http_question(authorizer: Authorizer) -> http_authz.ExtAuthz:
    """The HTTP filter that asks."""
    status = authorizer.status_on_error
    made = http_authz.ExtAuthz(
        failure_mode_allow=authorizer.fail_open,
        clear_route_cache=authorizer.clear_route_cache,
        status_on_error=http_status_pb2.HttpStatus(code=status) if status else None,
        transport_api_version=config_source_pb2.V3,
        with_request_body=_body(authorizer.body),
        filter_enabled_metadata=_matched(HTTP_RBAC, authorizer),
    )
    if authorizer.http is None:
        made.grpc_service.CopyFrom(_grpc(authorizer))
        return made
    made.http_service.CopyFrom(_http(authorizer, authorizer.http))
    if authorizer.http.request_headers:
        made.allowed_headers.CopyFrom(_headers(authorizer.http.request_headers))
    return made


def network_question(authorizer: Authorizer) -> network_authz.ExtAuthz | None:
    """The network filter that asks; None where HTTP is spoken, which knows no connections."""
    if authorizer.http is not None:
        return None
    return network_authz.ExtAuthz(
        stat_prefix="tcp.",
        failure_mode_allow=authorizer.fail_open,
        transport_api_version=config_source_pb2.V3,
        grpc_service=_grpc(authorizer),
        filter_enabled_metadata=_matched(NETWORK_RBAC, authorizer),
    )


def _no_rules() -> rbac_pb2.RBAC:
    return rbac_pb2.RBAC(action=rbac_pb2.RBAC.DENY)


def _grpc(authorizer: Authorizer) -> grpc_service_pb2.GrpcService:
    cluster = names.outbound_cluster(authorizer.host, authorizer.port)
    return grpc_service_pb2.GrpcService(
        envoy_grpc=grpc_service_pb2.GrpcService.EnvoyGrpc(cluster_name=cluster, authority=authorizer.host),
        timeout=duration(_timeout(authorizer)),
    )


def _http(authorizer: Authorizer, check: HttpCheck) -> http_authz.HttpService:
    request = response = None
    if check.added_headers:
        added = [base_pb2.HeaderValue(key=key, value=value) for key, value in check.added_headers]
        request = http_authz.AuthorizationRequest(headers_to_add=added)
    if check.upstream_headers or check.denied_headers or check.allowed_headers:
        response = http_authz.AuthorizationResponse(
            allowed_upstream_headers=_headers(check.upstream_headers),
            allowed_client_headers=_headers(check.denied_headers),
            allowed_client_headers_on_success=_headers(check.allowed_headers),
        )
    return http_authz.HttpService(
        path_prefix=check.path_prefix,
        server_uri=http_uri_pb2.HttpUri(
            uri=f"http://{authorizer.host}",
            cluster=names.outbound_cluster(authorizer.host, authorizer.port),
            timeout=duration(_timeout(authorizer)),
        ),
        authorization_request=request,
        authorization_response=response,
    )


def _timeout(authorizer: Authorizer) -> float:
    return DEFAULT_TIMEOUT_SECONDS if authorizer.timeout is None else authorizer.timeout


def _headers(patterns: Iterable[str]) -> string_pb2.ListStringMatcher | None:
    made = [_header(pattern) for pattern in patterns]
    return string_pb2.ListStringMatcher(patterns=made) if made else None


def _header(pattern: str) -> string_pb2.StringMatcher:
    if pattern.startswith("*"):
        return string_pb2.StringMatcher(suffix=pattern[1:], ignore_case=True)
    if pattern.endswith("*"):
        return string_pb2.StringMatcher(prefix=pattern[:-1], ignore_case=True)
    return string_pb2.StringMatcher(exact=pattern, ignore_case=True)


def _body(body: Body | None) -> http_authz.BufferSettings | None:
    if body is None:
        return None
    return http_authz.BufferSettings(
        max_request_bytes=body.most_bytes, allow_partial_message=body.partial, pack_as_bytes=body.as_bytes
    )


def _matched(rbac: str, authorizer: Authorizer) -> metadata_pb2.MetadataMatcher:
    """Whether the RBAC filter found a rule of this provider."""
    segment = metadata_pb2.MetadataMatcher.PathSegment(key=f"{PREFIX}shadow_effective_policy_id")
    rule = string_pb2.StringMatcher(prefix=names.custom_rule(authorizer.name))
    return metadata_pb2.MetadataMatcher(filter=rbac, path=[segment], value=value_pb2.ValueMatcher(string_match=rule))
