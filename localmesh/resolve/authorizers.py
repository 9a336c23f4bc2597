"""Who CUSTOM policies ask: the extension providers of MeshConfig that speak Envoy's external authorization.

As istiod has it (pilot/pkg/security/authz/builder/extauthz.go): a provider that is wrong or whose service does not
exist is none, and a policy that names it denies what it would have asked about.
"""

from collections.abc import Iterator, Mapping
from http import HTTPStatus

from localmesh.errors import Where
from localmesh.manifests.documents import Documents
from localmesh.manifests.istio import AuthorizationPolicy
from localmesh.manifests.providers import ExtAuthzGrpc, ExtAuthzHttp, ExtAuthzRequestBody, ExtensionProvider
from localmesh.mesh.security import Authorizer, Body, HttpCheck
from localmesh.mesh.services import Service
from localmesh.resolve.findings import Findings, nearest, nearest_host
from localmesh.resolve.settings import Settings


def authorizers(
    documents: Documents, settings: Settings, services: Mapping[str, Service], findings: Findings
) -> tuple[Authorizer, ...]:
    """The providers that can be asked, by name. What policies name in vain is found wrong."""
    asked = {name for policy in documents.of(AuthorizationPolicy) if (name := _provider(policy)) is not None}
    found = {}
    for name, provider in sorted(settings.providers.items()):
        made = _authorizer(provider, services, findings if name in asked else Findings())
        if made is not None:
            found[name] = made
    for policy in documents.of(AuthorizationPolicy):
        _check(policy, settings, findings)
    return tuple(found.values())


def _provider(policy: AuthorizationPolicy) -> str | None:
    if policy.spec.action != "CUSTOM" or policy.spec.provider is None:
        return None
    return policy.spec.provider.name or ""


def _check(policy: AuthorizationPolicy, settings: Settings, findings: Findings) -> None:
    """That the named provider is there and is an authorizer at all."""
    name = _provider(policy)
    if name is None or policy.spec.provider is None:
        return
    where = policy.spec.provider.at("name")
    provider = settings.providers.get(name)
    if provider is None:
        what = f"MeshConfig has no extension provider {name!r}: all that these rules match is denied"
        findings.problem(where, what, nearest(name, settings.providers))
    elif provider.envoy_ext_authz_http is None and provider.envoy_ext_authz_grpc is None:
        what = f"the extension provider {name!r} authorizes nothing: all that these rules match is denied"
        findings.problem(where, what, "envoyExtAuthzHttp or envoyExtAuthzGrpc")


def _authorizer(provider: ExtensionProvider, services: Mapping[str, Service], findings: Findings) -> Authorizer | None:
    written = provider.envoy_ext_authz_http or provider.envoy_ext_authz_grpc
    if written is None:
        return None
    service = _service(written, services, findings)
    problems = list(_problems(written))
    for where, what, hint in problems:
        findings.problem(where, what, hint)
    if service is None or problems:
        return None
    return Authorizer(
        name=provider.name,
        host=service.host,
        port=written.port,
        http=_http(written) if isinstance(written, ExtAuthzHttp) else None,
        timeout=written.timeout,
        fail_open=written.fail_open,
        clear_route_cache=written.clear_route_cache,
        status_on_error=int(written.status_on_error) if written.status_on_error else None,
        body=_body(written.include_request_body_in_check),
        where=provider.where,
    )


def _service(
    written: ExtAuthzHttp | ExtAuthzGrpc, services: Mapping[str, Service], findings: Findings
) -> Service | None:
    """A host, or `namespace/host`."""
    namespace, _, host = written.service.rpartition("/")
    service = services.get(host)
    if service is None or namespace not in {"", service.namespace}:
        what = f"there is no service {written.service!r} to ask"
        findings.problem(written.at("service"), what, nearest_host(host, services))
        return None
    if service.port(written.port) is None:
        what = f"{service.host} has no port {written.port}, so it cannot be asked"
        findings.problem(written.at("port"), what, f"one of {', '.join(str(each.number) for each in service.ports)}")
    return service


def _problems(written: ExtAuthzHttp | ExtAuthzGrpc) -> Iterator[tuple[Where, str, str]]:
    status = written.status_on_error
    if status and status not in {str(each.value) for each in HTTPStatus}:
        yield written.at("status_on_error"), f"{status!r} is no HTTP status", 'such as "403"'
    if not isinstance(written, ExtAuthzHttp):
        return
    if written.path_prefix and not written.path_prefix.startswith("/"):
        yield written.at("path_prefix"), f"{written.path_prefix!r} is no path", f"/{written.path_prefix}"
    for name in (
        "include_headers_in_check",
        "include_request_headers_in_check",
        "headers_to_upstream_on_allow",
        "headers_to_downstream_on_deny",
        "headers_to_downstream_on_allow",
    ):
        if "*" in getattr(written, name):
            yield written.at(name), "a bare `*` is no header", "`x-*` or `*-id`: the beginning or end of a name"


def _http(written: ExtAuthzHttp) -> HttpCheck:
    return HttpCheck(
        path_prefix=written.path_prefix or "",
        # The first is the newer name of the second.
        request_headers=written.include_request_headers_in_check or written.include_headers_in_check,
        added_headers=tuple(sorted(written.include_additional_headers_in_check.items())),
        upstream_headers=written.headers_to_upstream_on_allow,
        denied_headers=written.headers_to_downstream_on_deny,
        allowed_headers=written.headers_to_downstream_on_allow,
    )


def _body(written: ExtAuthzRequestBody | None) -> Body | None:
    if written is None:
        return None
    return Body(written.max_request_bytes or 0, written.allow_partial_message, written.pack_as_bytes)
