"""One rule of an AuthorizationPolicy as an RBAC policy: permissions (`to`, `when`) and principals (`from`, `when`).

Follows istiod's pilot/pkg/security/authz/model, as its output shows: every `from` entry becomes one principal, every
`to` entry one permission, and each `when` joins all of them on the side that it speaks of. On TCP what speaks of
requests cannot be known: an ALLOW rule with it disappears, other actions lose only that part and become broader.
"""

from envoy.config.rbac.v3 import rbac_pb2

from localmesh.mesh.security import Condition, Operation, Rule, Source
from localmesh.xds.rbac_terms import (
    HOST,
    METHOD,
    NAMESPACE,
    PATH,
    PORT,
    PRINCIPAL,
    REMOTE_IP,
    REQUEST_PRINCIPAL,
    SERVICE_ACCOUNT,
    SOURCE_IP,
    Context,
    Kind,
    Term,
    kind_of,
)


class NotOnTcp(Exception):
    """The rule speaks of requests, and connections carry none that we can see."""


def policy(rule: Rule, context: Context) -> rbac_pb2.Policy:
    """The RBAC policy of one rule. Raises NotOnTcp."""
    conditions = [(kind_of(condition.key), condition) for condition in rule.conditions]
    shared_permissions = _conditions(conditions, False, context)
    shared_principals = _conditions(conditions, True, context)
    permissions = [_operation(operation, context) + shared_permissions for operation in rule.operations]
    principals = [_source(source, context) + shared_principals for source in rule.sources]
    return rbac_pb2.Policy(
        permissions=[_all_permissions(terms) for terms in permissions or [shared_permissions]],
        principals=[_all_principals(terms) for terms in principals or [shared_principals]],
    )


def never() -> rbac_pb2.Policy:
    """A policy that matches nothing: what a policy without rules means."""
    return rbac_pb2.Policy(
        permissions=[rbac_pb2.Permission(not_rule=rbac_pb2.Permission(any=True))],
        principals=[rbac_pb2.Principal(not_id=rbac_pb2.Principal(any=True))],
    )


def _source(source: Source, context: Context) -> list[Term]:
    fields = (
        (PRINCIPAL, source.principals, source.not_principals),
        (REQUEST_PRINCIPAL, source.request_principals, source.not_request_principals),
        (SERVICE_ACCOUNT, source.service_accounts, source.not_service_accounts),
        (NAMESPACE, source.namespaces, source.not_namespaces),
        (REMOTE_IP, source.remote_ip_blocks, source.not_remote_ip_blocks),
        (SOURCE_IP, source.ip_blocks, source.not_ip_blocks),
    )
    return [term for kind, yes, no in fields for term in _both(kind, "", yes, no, context)]


def _operation(operation: Operation, context: Context) -> list[Term]:
    fields = (
        (HOST, operation.hosts, operation.not_hosts),
        (METHOD, operation.methods, operation.not_methods),
        (PATH, operation.paths, operation.not_paths),
        (PORT, operation.ports, operation.not_ports),
    )
    return [term for kind, yes, no in fields for term in _both(kind, "", yes, no, context)]


def _conditions(conditions: list[tuple[Kind, Condition]], principal: bool, context: Context) -> list[Term]:
    return [
        term
        for kind, condition in conditions
        if kind.principal is principal
        for term in _both(kind, condition.key, condition.values, condition.not_values, context)
    ]


def _both(kind: Kind, key: str, yes: tuple[str, ...], no: tuple[str, ...], context: Context) -> list[Term]:
    """One of `yes`, and none of `no`."""
    if (yes or no) and context.tcp and not kind.on_tcp:
        if context.lenient:
            return []
        raise NotOnTcp
    terms = []
    if yes:
        terms.append(_any_of(kind, kind.make(key, yes, context)))
    if no:
        excluded = _any_of(kind, kind.make(key, no, context))
        terms.append(rbac_pb2.Principal(not_id=excluded) if kind.principal else rbac_pb2.Permission(not_rule=excluded))
    return terms


def _any_of(kind: Kind, terms: list[Term]) -> Term:
    if kind.bare and len(terms) == 1:
        return terms[0]
    joined: Term
    if kind.principal:
        joined = rbac_pb2.Principal(or_ids=rbac_pb2.Principal.Set(ids=terms))
    else:
        joined = rbac_pb2.Permission(or_rules=rbac_pb2.Permission.Set(rules=terms))
    return joined


def _all_permissions(terms: list[Term]) -> rbac_pb2.Permission:
    terms = terms or [rbac_pb2.Permission(any=True)]
    return rbac_pb2.Permission(and_rules=rbac_pb2.Permission.Set(rules=terms))


def _all_principals(terms: list[Term]) -> rbac_pb2.Principal:
    terms = terms or [rbac_pb2.Principal(any=True)]
    return rbac_pb2.Principal(and_ids=rbac_pb2.Principal.Set(ids=terms))
