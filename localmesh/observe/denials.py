"""Why a proxy refused a call: which rule of which document, by what Envoy says in `%RESPONSE_CODE_DETAILS%`.

The names of rules in it are istiod's: `ns[mesh]-policy[user]-rule[0]` (pilot/pkg/security/authz/builder). `none` is
what RBAC says when there are ALLOW policies and no rule of theirs matched. What of a JWT was wrong is Envoy's
jwt_authn filter's word, such as `Jwt_is_expired`.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from localmesh.errors import Where
from localmesh.observe.policies import Policy

_RBAC = re.compile(r"rbac_access_denied_matched_policy\[(.*)\]")
_RULE = re.compile(r"(?P<custom>.*?)ns\[(?P<namespace>[^\]]*)\]-policy\[(?P<name>[^\]]*)\]-rule\[(?P<rule>\d+)\].*")
_TOKEN = re.compile(r"jwt_authn_access_denied\{(.*)\}")
_AUTHORIZER = re.compile(r"ext_authz_(denied|error)")
_PLAINTEXT = "filter_chain_not_found"

ACCESS, TOKENS, PEERS = "AuthorizationPolicy", "RequestAuthentication", "PeerAuthentication"


class Reason(Enum):
    """What kind of policy refused."""

    RULE = "a rule denies it"
    NO_RULE = "no rule allows it"
    TOKEN = "the token does not hold"  # noqa: S105
    AUTHORIZER = "the authorizer that a CUSTOM policy names did not allow it"
    PLAINTEXT = "the connection is not mTLS"


@dataclass(frozen=True, slots=True)
class Refused:
    """A call or a connection as its proxy tells of it. Empty: not known."""

    details: str  # %RESPONSE_CODE_DETAILS%, or of TCP %CONNECTION_TERMINATION_DETAILS%
    pod: str  # whose proxy refused: `namespace/name`
    caller: str = ""  # by mTLS: spiffe://…
    method: str = ""  # the path


@dataclass(frozen=True, slots=True)
class Cited:
    """A document, or a rule of it, with its place."""

    kind: str
    namespace: str
    name: str
    where: Where
    says: str  # what the rule asks for; of a document what it does

    def __str__(self) -> str:
        """One line."""
        return f"{self.kind} {self.namespace}/{self.name} ({self.where.file}:{self.where.line}): {self.says}"


@dataclass(frozen=True, slots=True)
class Denial:
    """Why: in a sentence, and by what. `acted` is empty where the document is no longer in force."""

    reason: Reason
    what: str
    acted: tuple[Cited, ...] = ()  # the rule that denied, the token rules that were asked
    asked: tuple[Cited, ...] = ()  # of NO_RULE: every ALLOW rule there, none of which matched

    def __str__(self) -> str:
        """Several lines: the sentence, then each rule."""
        return "\n".join((self.what, *(f"  {each}" for each in (*self.acted, *self.asked))))


def explained(refused: Refused, policies: Iterable[Policy]) -> Denial | None:
    """Why a proxy refused this, by the policies in force; None if its details speak of no policy."""
    here = [each for each in policies if refused.pod in each.pods]
    if found := _RBAC.search(refused.details):
        rule = _RULE.fullmatch(found[1])
        return _by_rule(refused, rule, here) if rule else _by_none(refused, here)
    if found := _TOKEN.search(refused.details):
        what = found[1].replace("_", " ")
        return Denial(Reason.TOKEN, f"{_what(refused)}: {what}", tuple(_rules(here, TOKENS)))
    if _AUTHORIZER.search(refused.details):
        custom = tuple(_rules([each for each in here if each.action == "CUSTOM"], ACCESS))
        return Denial(Reason.AUTHORIZER, f"{_what(refused)}: {Reason.AUTHORIZER.value}", custom)
    if refused.details == _PLAINTEXT and not refused.caller:
        strict = tuple(_rules(here, PEERS))
        return Denial(Reason.PLAINTEXT, f"{_what(refused)}: {Reason.PLAINTEXT.value}", strict) if strict else None
    return None


def _by_rule(refused: Refused, rule: re.Match[str], here: Iterable[Policy]) -> Denial:
    namespace, name, number = rule["namespace"], rule["name"], int(rule["rule"])
    reason = Reason.AUTHORIZER if rule["custom"] else Reason.RULE
    sentence = f"{_what(refused)}: rule {number + 1} of {ACCESS} {namespace}/{name} denies it"
    for each in here:
        if (each.kind, each.namespace, each.name) == (ACCESS, namespace, name):
            return Denial(reason, sentence, (_cited(each, number),))
    return Denial(reason, f"{sentence}; it is not in force any more")


def _by_none(refused: Refused, here: Iterable[Policy]) -> Denial:
    allowing = [each for each in here if each.kind == ACCESS and each.action == "ALLOW" and not each.dry_run]
    return Denial(Reason.NO_RULE, f"{_what(refused)}: {Reason.NO_RULE.value}", asked=tuple(_rules(allowing, ACCESS)))


def _rules(policies: Iterable[Policy], kind: str) -> Iterator[Cited]:
    """Every rule of these policies; a policy without rules itself."""
    for each in policies:
        if each.kind == kind:
            yield from (_cited(each, number) for number in range(max(1, len(each.rules))))


def _cited(policy: Policy, number: int) -> Cited:
    rule = policy.rules[number] if number < len(policy.rules) else None  # it may have been edited since
    return Cited(
        policy.kind,
        policy.namespace,
        policy.name,
        rule.where if rule else policy.where,
        rule.says if rule else "has no rules, so it matches nothing",
    )


def _what(refused: Refused) -> str:
    """`mesh/user-v1-0 refused /user.v1.UserService/ListUsers from spiffe://…`, as far as it is known."""
    what = f" {refused.method}" if refused.method else " a connection"
    return f"{refused.pod} refused{what}" + (f" from {refused.caller}" if refused.caller else "")
