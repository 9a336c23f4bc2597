"""Policies that cross the control API and come back."""

from localmesh.control.policies import decode_policy, encode_policy
from localmesh.errors import Problem, Where
from localmesh.observe.policies import Policy, Refusal
from localmesh.observe.rules import PolicyRule


def test_a_policy_comes_back_as_it_was() -> None:
    policy = Policy(
        kind="AuthorizationPolicy",
        namespace="mesh",
        name="user",
        where=Where("security.yaml", 12),
        pods=("mesh/user-0",),
        action="DENY",
        rules=(PolicyRule(Where("security.yaml", 20, 0, "spec.rules[0]"), "everything"),),
        applied_at=1.5,
        refused=Refusal(2.5, (Problem(Where("security.yaml", 3, 1, "spec"), "no", "yes", "LM001"),)),
    )
    assert decode_policy(encode_policy(policy)) == policy


def test_what_was_never_refused_comes_back_so() -> None:
    policy = Policy("VirtualService", "mesh", "user", Where("user.yaml", 1), hosts=("user",))
    assert decode_policy(encode_policy(policy)) == policy
