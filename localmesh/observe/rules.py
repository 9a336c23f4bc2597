"""The rules of a policy document, each with its place and in words, for whoever asks which of them acted."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

from localmesh.errors import Where
from localmesh.manifests.istio import AuthorizationPolicy, PeerAuthentication, RequestAuthentication
from localmesh.manifests.istio.security import JWTRule, Operation, Rule, Source
from localmesh.manifests.record import Resource, spelled


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """One rule: `spec.rules[i]`, `spec.jwtRules[i]` or `spec.mtls`, and what it asks for in one line."""

    where: Where
    says: str


def rules(document: Resource) -> Iterator[PolicyRule]:
    """The rules of an AuthorizationPolicy, RequestAuthentication or PeerAuthentication; of other kinds none."""
    match document:
        case AuthorizationPolicy():
            yield from (PolicyRule(each.where, _access(each)) for each in document.spec.rules)
        case RequestAuthentication():
            yield from (PolicyRule(each.where, _token(each)) for each in document.spec.jwt_rules)
        case PeerAuthentication():
            mtls = document.spec.mtls
            if mtls is not None and mtls.mode is not None:
                yield PolicyRule(mtls.where, f"mTLS {mtls.mode}")
            for port, own in (document.spec.port_level_mtls or {}).items():
                yield PolicyRule(own.where, f"mTLS {own.mode or 'UNSET'} at port {port}")


def _access(rule: Rule) -> str:
    """`from principals a or b; to methods POST, paths /x; when key = v`; `everything` where nothing is asked for."""
    parts = [("from", " or ".join(_fields(each.source) for each in rule.from_ if each.source))]
    parts.append(("to", " or ".join(_fields(each.operation) for each in rule.to if each.operation)))
    for each in rule.when:
        yes = f"{each.key} = {_any(each.values)}" if each.values else ""
        no = f"{each.key} ≠ {_any(each.not_values)}" if each.not_values else ""
        parts.append(("when", " and ".join(filter(None, (yes, no)))))
    return "; ".join(f"{word} {said}" for word, said in parts if said) or "everything"


def _fields(record: Source | Operation) -> str:
    """The fields that are set, spelled as in the API."""
    cls: type = type(record)
    names = spelled(cls)
    own = [each.name for each in fields(record) if each.name not in {"where", "places"}]
    return ", ".join(f"{names[name]} {_any(values)}" for name in own if (values := getattr(record, name)))


def _any(values: tuple[str, ...]) -> str:
    return " | ".join(values)


def _token(rule: JWTRule) -> str:
    audiences = f", for {_any(rule.audiences)}" if rule.audiences else ""
    return f"tokens of {rule.issuer}{audiences}"
