"""AuthorizationPolicy: who may call what; rules that could never match, or match more than they say, are refused."""

import re
from collections.abc import Iterator

from localmesh import codes
from localmesh.errors import Problem
from localmesh.manifests.istio.security import AuthorizationPolicy, AuthorizationPolicySpec, Operation, Rule, Source
from localmesh.manifests.record import Record, spelled
from localmesh.manifests.rules import selectors
from localmesh.manifests.rules.conditions import condition_problems, wrong_port
from localmesh.manifests.rules.names import wrong_subnet

_DRY_RUN = "istio.io/dry-run"
_GO_BOOLEANS = frozenset({"1", "t", "T", "true", "TRUE", "True", "0", "f", "F", "false", "FALSE", "False"})
_SOURCE = tuple(name for name in spelled(Source) if name not in {"where", "places"})
_OPERATION = tuple(name for name in spelled(Operation) if name not in {"where", "places"})
_TCP_SOURCE = frozenset(_SOURCE) - {"request_principals", "not_request_principals"}
_NOT_CUSTOM = tuple(
    name for name in _SOURCE if name.removeprefix("not_") in {"namespaces", "principals", "request_principals"}
)
_LITERAL = re.compile(r"[a-zA-Z0-9\-._~%!$&'()+,;:@=]*")
_ONE, _ANY = "{*}", "{**}"


def problems(resource: AuthorizationPolicy) -> Iterator[Problem]:
    """What istiod would reject it for."""
    spec = resource.spec
    yield from selectors.problems(spec.selector)
    yield from selectors.target_problems(spec.target_ref, spec.target_refs)
    yield from _action(spec)
    yield from _dry_run(resource)
    for rule in spec.rules:
        yield from _rule(rule)
        if spec.action == "CUSTOM":
            yield from _custom(rule)


def warnings(resource: AuthorizationPolicy) -> Iterator[Problem]:
    """What istiod would warn about: a DENY rule of HTTP attributes only denies everything on TCP ports."""
    yield from selectors.warnings(resource.spec.selector)
    if resource.spec.action != "DENY":
        return
    for rule in resource.spec.rules:
        sources = [each.source for each in rule.from_ if each.source]
        operations = [each.operation for each in rule.to if each.operation]
        tcp_source = any(getattr(source, field) for source in sources for field in _TCP_SOURCE)
        tcp_operation = any(each.ports or each.not_ports for each in operations)
        if (sources and not operations and not tcp_source) or (operations and not tcp_operation):
            what = "on TCP ports this DENY rule denies every connection: all it asks for is HTTP"
            yield codes.DENIES_TCP.at(rule.where, what, "name the ports under to.operation.ports")


def _action(spec: AuthorizationPolicySpec) -> Iterator[Problem]:
    if spec.action in {"DENY", "CUSTOM"} and not spec.rules:
        yield Problem(spec.where, f"{spec.action} without rules never does anything", "rules: [{}] is every request")
    if spec.action == "CUSTOM" and spec.rules and not (spec.provider and spec.provider.name):
        yield Problem(spec.where, "CUSTOM needs provider.name", "an extensionProvider of the mesh configuration")
    if spec.provider and spec.action != "CUSTOM":
        yield Problem(spec.at("provider"), f"{spec.action or 'ALLOW'} has no provider", "action: CUSTOM has one")


def _dry_run(resource: AuthorizationPolicy) -> Iterator[Problem]:
    value = resource.metadata.annotations.get(_DRY_RUN)
    if value is None:
        return
    place = resource.metadata.at("annotations", _DRY_RUN)
    if resource.spec.action not in {None, "ALLOW", "DENY"}:
        yield Problem(place, f"{_DRY_RUN} is for ALLOW and DENY, not for {resource.spec.action}")
    elif value not in _GO_BOOLEANS:
        yield Problem(place, f'{_DRY_RUN} is "true" or "false", not "{value}"')


def _rule(rule: Rule) -> Iterator[Problem]:
    for from_ in rule.from_:
        if from_.source is None:
            yield Problem(from_.where, "source is missing", "from: [{source: {…}}]")
        else:
            yield from _source(from_.source)
    for to in rule.to:
        if to.operation is None:
            yield Problem(to.where, "operation is missing", "to: [{operation: {…}}]")
        else:
            yield from _operation(to.operation)
    for condition in rule.when:
        yield from condition_problems(condition)


def _source(source: Source) -> Iterator[Problem]:
    if not any(getattr(source, field) for field in _SOURCE):
        yield Problem(source.where, "this source asks for nothing", "leave from out to take every caller")
    yield from _no_empty(source, _SOURCE)
    for field in ("ip_blocks", "not_ip_blocks", "remote_ip_blocks", "not_remote_ip_blocks"):
        for index, block in enumerate(getattr(source, field)):
            if block and (wrong := wrong_subnet(block)):
                yield Problem(source.at(field, index), wrong)
    accounts = ("service_accounts", "not_service_accounts")
    identities = ("principals", "not_principals", "namespaces", "not_namespaces")
    for field in accounts:
        for index, account in enumerate(getattr(source, field)):
            if account.count("/") > 1 or "*" in account or account.startswith("/") or account.endswith("/"):
                what = f'"{account}" is not a service account'
                yield Problem(source.at(field, index), what, "write name or namespace/name, without wildcards")
    if any(getattr(source, each) for each in accounts) and any(getattr(source, each) for each in identities):
        what = "serviceAccounts cannot go with principals or namespaces in one source"
        yield Problem(source.where, what, "write them as two sources")


def _operation(operation: Operation) -> Iterator[Problem]:
    if not any(getattr(operation, field) for field in _OPERATION):
        yield Problem(operation.where, "this operation asks for nothing", "leave to out to take every call")
    yield from _no_empty(operation, _OPERATION)
    for field in ("ports", "not_ports"):
        for index, port in enumerate(getattr(operation, field)):
            if port and (wrong := wrong_port(port)):
                yield Problem(operation.at(field, index), wrong)
    for field in ("paths", "not_paths"):
        for index, path in enumerate(getattr(operation, field)):
            if wrong := _wrong_template(path):
                yield Problem(operation.at(field, index), wrong)


def _no_empty(record: Record, names: tuple[str, ...]) -> Iterator[Problem]:
    for field in names:
        for index, value in enumerate(getattr(record, field)):
            if not value:
                yield Problem(record.at(field, index), "this value is empty: it would match nothing")


def _wrong_template(path: str) -> str | None:
    """A path with `{*}` (one segment) and `{**}` (any number, last): no other braces, no other wildcards."""
    template = _ONE in path or _ANY in path
    ended = False
    for segment in path.strip("/").split("/"):
        if segment in {_ONE, _ANY}:
            if ended:
                return f'"{path}": {_ANY} must be the last of its wildcards'
            ended = segment == _ANY
        elif "{" in segment or "}" in segment:
            return f'"{path}": braces are for {_ONE} and {_ANY}, each a whole segment'
        elif template and not _LITERAL.fullmatch(segment):
            return f'"{path}": "{segment}" cannot stand beside {_ONE} or {_ANY}'
    return None


def _custom(rule: Rule) -> Iterator[Problem]:
    """What an external authorizer is asked cannot depend on identities: they are not known yet."""
    for source in (each.source for each in rule.from_ if each.source):
        for field in _NOT_CUSTOM:
            if getattr(source, field):
                yield Problem(source.at(field), "a CUSTOM rule cannot ask for identities")
    for condition in rule.when:
        if condition.key in {"source.namespace", "source.principal"} or condition.key.startswith("request.auth."):
            yield Problem(condition.at("key"), f"a CUSTOM rule cannot ask for {condition.key}")
