"""AuthorizationPolicy and RequestAuthentication: who may do what at a pod, and whose tokens are verified there."""

from collections.abc import Iterator

from localmesh import codes
from localmesh.manifests.documents import Documents
from localmesh.manifests.istio import AuthorizationPolicy, RequestAuthentication
from localmesh.manifests.istio.security import JWTRule
from localmesh.manifests.istio.security import Operation as WrittenOperation
from localmesh.manifests.istio.security import Rule as WrittenRule
from localmesh.manifests.istio.security import Source as WrittenSource
from localmesh.mesh.identity import Labels
from localmesh.mesh.security import AccessPolicy, Action, Condition, JwtHeader, JwtRule, Operation, Rule, Source
from localmesh.resolve.attaching import Attaching
from localmesh.resolve.findings import Findings
from localmesh.resolve.selection import oldest_first
from localmesh.resolve.steps import Steps

DRY_RUN = "istio.io/dry-run"


class Access:
    """All AuthorizationPolicies, by where they are attached; one of the root namespace reaches every namespace."""

    def __init__(self, documents: Documents, root_namespace: str, steps: Steps) -> None:
        self._policies: Attaching[AccessPolicy] = Attaching(root_namespace)
        for each in oldest_first(documents.of(AuthorizationPolicy)):
            self._policies.add(each, each.spec, steps.each(_policy, each))

    def of(self, namespace: str, labels: Labels) -> tuple[AccessPolicy, ...]:
        """The policies of a pod in istiod's order: the root namespace's, then its own namespace's, each by age."""
        return tuple(self._policies.of(namespace, labels))


class Tokens:
    """All RequestAuthentications; those of root namespace, namespace and workload are combined."""

    def __init__(self, documents: Documents, root_namespace: str) -> None:
        self._rules: Attaching[tuple[JwtRule, ...]] = Attaching(root_namespace)
        for each in oldest_first(documents.of(RequestAuthentication)):
            self._rules.add(each, each.spec, tuple(map(_jwt, each.spec.jwt_rules)))

    def of(self, namespace: str, labels: Labels) -> tuple[JwtRule, ...]:
        """The rules of a pod by issuer, as istiod orders them."""
        found = self._rules.of(namespace, labels)
        return tuple(sorted((rule for rules in found for rule in rules), key=lambda rule: rule.issuer))


def _policy(written: AuthorizationPolicy, findings: Findings) -> AccessPolicy:
    spec = written.spec
    return AccessPolicy(
        name=written.name,
        namespace=written.namespace,
        action=Action((spec.action or "ALLOW").lower()),
        rules=tuple(_rule(each, findings) for each in spec.rules),
        dry_run=written.metadata.annotations.get(DRY_RUN) == "true",
        provider=(spec.provider.name if spec.provider else None) or "",
        where=written.where,
    )


def _rule(written: WrittenRule, findings: Findings) -> Rule:
    return Rule(
        sources=tuple(_source(each.source) for each in written.from_ if each.source is not None),
        operations=tuple(_operation(each.operation, findings) for each in written.to if each.operation is not None),
        conditions=tuple(Condition(each.key, each.values, each.not_values) for each in written.when),
        where=written.where,
    )


def _source(written: WrittenSource) -> Source:
    return Source(
        principals=written.principals,
        not_principals=written.not_principals,
        request_principals=written.request_principals,
        not_request_principals=written.not_request_principals,
        namespaces=written.namespaces,
        not_namespaces=written.not_namespaces,
        service_accounts=written.service_accounts,
        not_service_accounts=written.not_service_accounts,
        ip_blocks=written.ip_blocks,
        not_ip_blocks=written.not_ip_blocks,
        remote_ip_blocks=written.remote_ip_blocks,
        not_remote_ip_blocks=written.not_remote_ip_blocks,
    )


def _operation(written: WrittenOperation, findings: Findings) -> Operation:
    for index, method in _grpc_methods(written):
        what = f"{method!r} is no HTTP method, so this never matches: a gRPC call is POST to that path"
        findings.warn(
            codes.METHOD_IS_A_PATH, written.at("methods", index), what, f"paths: [{method}] and methods: [POST]"
        )
    return Operation(
        hosts=written.hosts,
        not_hosts=written.not_hosts,
        ports=written.ports,
        not_ports=written.not_ports,
        methods=written.methods,
        not_methods=written.not_methods,
        paths=written.paths,
        not_paths=written.not_paths,
    )


def _grpc_methods(written: WrittenOperation) -> Iterator[tuple[int, str]]:
    return ((index, method) for index, method in enumerate(written.methods) if "/" in method)


def _jwt(written: JWTRule) -> JwtRule:
    """Keys that are named by an address only are not fetched here: then no token of this issuer passes."""
    return JwtRule(
        issuer=written.issuer or "",
        jwks=written.jwks or "",
        audiences=written.audiences,
        from_headers=tuple(JwtHeader(each.name, each.prefix or "") for each in written.from_headers),
        from_params=written.from_params,
        from_cookies=written.from_cookies,
        forward=written.forward_original_token,
        payload_header=written.output_payload_to_header or "",
        claim_headers=tuple((each.header, each.claim) for each in written.output_claim_to_headers),
        space_delimited_claims=written.space_delimited_claims,
        timeout=written.timeout,
        jwks_uri=written.jwks_uri or "",
        where=written.where,
    )
