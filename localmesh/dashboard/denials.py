"""Why a call was denied, with the place in the YAML: for the page, what `observe.words` has read out of a span."""

from collections.abc import Iterable
from dataclasses import dataclass

from localmesh.control.control_pb2 import Policy
from localmesh.observe.words import Denial

KIND = "AuthorizationPolicy"
ALLOW = "ALLOW"


@dataclass(frozen=True, slots=True)
class Place:
    """A policy or a rule of it, in a file."""

    name: str  # `namespace/name`
    file: str
    line: int
    says: str


@dataclass(frozen=True, slots=True)
class Denied:
    """What denied a call: one rule, or all policies that could have allowed it and did not."""

    says: str
    places: list[Place]


def denied(denial: Denial, pod: str, policies: Iterable[Policy]) -> Denied:
    """What stands behind a denial at the proxy of `pod` (`namespace/name`), by the policies in force now."""
    if not denial.policy:
        could = [each for each in policies if each.kind == KIND and each.action == ALLOW and pod in each.pods]
        says = "No rule of these policies allows it" if could else "No policy allows it"
        return Denied(says, [_whole(each) for each in could])
    for each in policies:
        if (each.kind, each.namespace, each.name) == (KIND, denial.namespace, denial.policy):
            return Denied("A rule of this policy denies it", [_rule(each, denial.rule)])
    return Denied(f"{KIND} {denial.namespace}/{denial.policy} denied it, which is not in force any more", [])


def _whole(policy: Policy) -> Place:
    rules = len(policy.rules)
    says = f"{rules} rule{'' if rules == 1 else 's'}" if rules else "no rules: it allows nothing"
    return Place(_name(policy), policy.file, policy.line, says)


def _rule(policy: Policy, number: int) -> Place:
    if number >= len(policy.rules):  # edited since
        return _whole(policy)
    rule = policy.rules[number]
    return Place(_name(policy), rule.file, rule.line, rule.says)


def _name(policy: Policy) -> str:
    return f"{policy.namespace}/{policy.name}"
